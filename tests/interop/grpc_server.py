"""A gRPC server with the health service that comes with gRPC for Python, and nothing else.

SIGUSR1 makes it say NOT_SERVING, SIGUSR2 SERVING again; of the server as a whole and of shop.v1.Orders.
"""

import signal
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

# Before there are threads, which inherit it: a signal then waits until it is asked for.
signals = {signal.SIGUSR1, signal.SIGUSR2}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
servicer = health.HealthServicer()
server = grpc.server(ThreadPoolExecutor(max_workers=2))
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)


def say(status):
    for service in ("", "shop.v1.Orders"):
        servicer.set(service, status)


Status = health_pb2.HealthCheckResponse
say(Status.SERVING)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"running on {port}", flush=True)
while True:
    number = signal.sigwait(signals)
    say(Status.NOT_SERVING if number == signal.SIGUSR1 else Status.SERVING)
