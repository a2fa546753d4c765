"""A server on this machine that weights are fetched from."""

import hashlib
import http.server
import threading

import pytest
import torch


class Server:
    """Serves ``files`` by path; keeps back ``cut`` bytes of each; with ``stall`` it then falls silent."""

    def __init__(self):
        self.files, self.cut, self.stall, self.asked, self.announce = {}, 0, False, [], True
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                data = outer.files.get(self.path)
                if data is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                if outer.announce:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) - outer.cut])
                if outer.stall:
                    self.wfile.flush()
                    outer.done.wait(10)

            def log_message(self, *_):
                pass

        self.done = threading.Event()
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def offer(self, data, name="weights", digest=None):
        """The address of ``data`` under a name that ends in its checksum, or in ``digest``."""
        path = f"/{name}-{digest or hashlib.sha256(data).hexdigest()[:8]}.pth"
        self.files[path] = data
        return self.address + path

    def close(self):
        self.done.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    running = Server()
    yield running
    running.close()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty torch.hub folder."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"
