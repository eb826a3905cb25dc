"""nginx as a file server: sendfile, basic authentication, WebDAV's PUT; two workers, as there are cores."""

import base64
import hashlib
import os
import pwd
import signal

from processes import run, stop
from servers import Server, listens, need

USER, PASSWORD = "bench", "correct-horse-battery"
CONFIGURATION = """
worker_processes 2;
pid {folder}/pid;
error_log {folder}/error.log;
{user}
daemon off;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    client_max_body_size 0;
    client_body_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/unused; proxy_temp_path {folder}/unused; scgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/data;
        location / {{
            auth_basic "files";
            auth_basic_user_file {folder}/users;
            dav_methods PUT DELETE;
            create_full_put_path on;
            dav_access user:rw;
        }}
    }}
}}
"""


class Nginx(Server):
    def __init__(self, folder, cores=None):
        super().__init__("nginx", folder, cores)

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    @property
    def authorization(self):
        return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def start(self):
        os.mkdir(self.folder, 0o711)
        for name in ("data", "temporary"):
            os.mkdir(os.path.join(self.folder, name), 0o777)
            os.chmod(os.path.join(self.folder, name), 0o777)
        with open(os.path.join(self.folder, "users"), "w", encoding="ascii") as file:
            # One round of SHA-1, the cheapest that it knows but clear text: it is computed for each request.
            salt = os.urandom(8)
            digest = hashlib.sha1(PASSWORD.encode() + salt).digest() + salt
            file.write(f"{USER}:{{SSHA}}{base64.b64encode(digest).decode()}\n")
        path = os.path.join(self.folder, "nginx.conf")
        user = "user www-data;" if os.geteuid() == 0 and has_user("www-data") else ""
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(folder=self.folder, port=self.port, user=user))
        run([need("nginx"), "-t", "-q", "-c", path], "nginx -t", 20)
        self.launch([need("nginx"), "-c", path], lambda: listens(self.port))

    def stop(self):
        if self.process is not None:
            stop(self.process, signal.SIGTERM, 10, self.name)


def has_user(name):
    try:
        pwd.getpwnam(name)
        return True
    except KeyError:
        return False
