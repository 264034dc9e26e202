"""A gRPC server and its client, without generated code: messages are bytes.

`grpc_calls.py serve` says where it listens; `grpc_calls.py call ADDRESS` makes calls of all four kinds, one that fails, one whose deadline
is over, and one of 3 MiB, and ends with 0 when each came to what it should.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

LARGE = bytes(range(256)) * 12_288


def unary(message, context):
    if message == b"fail":
        context.abort(grpc.StatusCode.NOT_FOUND, "not here")
    if message == b"sleep":
        time.sleep(30)
    return message


def collect(messages, _context):
    return b",".join(messages)


def count(message, _context):
    for number in range(int(message)):
        yield str(number).encode()


def chat(messages, _context):
    yield from messages


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
}


def serve():
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Calls", HANDLERS),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"running on {port}", flush=True)
    server.wait_for_termination()


def status(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    return None


def call(address):
    with grpc.insecure_channel(address) as channel:
        one = channel.unary_unary("/test.Calls/Unary")
        assert one(b"hello") == b"hello"
        assert one(LARGE) == LARGE
        assert channel.stream_unary("/test.Calls/Collect")(iter([b"a", b"b", b"c"])) == b"a,b,c"
        assert list(channel.unary_stream("/test.Calls/Count")(b"100"))[-1] == b"99"
        words = [b"one", b"two", b"three"]
        assert list(channel.stream_stream("/test.Calls/Chat")(iter(words))) == words
        assert status(lambda: one(b"fail")) == (grpc.StatusCode.NOT_FOUND, "not here")
        late = status(lambda: one(b"sleep", timeout=0.5))
        assert late[0] == grpc.StatusCode.DEADLINE_EXCEEDED, late
        # The channel is as good as before, with many calls at once.
        calls = [one.future(str(number).encode()) for number in range(200)]
        assert [call.result() for call in calls] == [str(number).encode() for number in range(200)]


if sys.argv[1] == "serve":
    serve()
else:
    call(sys.argv[2])
