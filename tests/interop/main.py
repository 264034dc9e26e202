"""The app of the tutorial "nginx in front of two FastAPI apps", as a user would bring it to Evenkeel.

Two of them run on one machine here, so the host name can be given. /headers shows the request as it arrived, in the
form in which the demo backend `hello` shows it.
"""

import os
import socket

from fastapi import FastAPI, Request

app = FastAPI()
hostname = os.environ.get("APP_HOSTNAME") or socket.gethostname()


@app.get("/")
def read_root():
    return {"message": "Hello from FastAPI", "hostname": hostname}


@app.get("/health")
def read_health():
    return {"status": "ok"}


@app.get("/headers")
def read_headers(request: Request):
    headers = [[name, value] for name, value in request.headers.items()]
    return {"method": request.method, "target": str(request.url), "headers": headers}
