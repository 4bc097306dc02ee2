"""A relay to test against: server, agent and cameras as processes, each with a log in one folder.

Used by the demo, the integration tests, the lab and the bench. Everything that was started ends
with close(), and with the process that started it.
"""
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STANDARD_PORTS = {"https": 8443, "http": 8080, "rtsp": 8554, "rtsps": 8322, "webrtc": 8189,
                  "srt": 8890, "rtmp": 1935, "rtmps": 1936}
PORTS_NEEDED = {"webrtc": os.cpu_count() or 1}  # one a worker
PR_SET_PDEATHSIG = 1
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")
# It keeps what was freed for a while: resident memory tells nothing, and leaks are its own to find.
IS_SANITIZED = os.path.basename(os.environ.get("CULVERT_BUILD", "release")) in ("asan", "tsan")
LIBC = ctypes.CDLL(None, use_errno=True)


# Without CULVERT_…: the programs take those as options, and refuse what they don't know.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith("CULVERT_")}
ENVIRONMENT.setdefault("TSAN_OPTIONS", f"suppressions={ROOT}/tests/tsan.supp")


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Failure(Exception):
    """Something of the rig didn't do what it should; the text says what, for people."""


def is_port_free(port):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with contextlib.closing(socket.socket(family, kind)) as probe:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    probe.bind((address, port))
                except OSError as error:
                    if error.errno == 98:
                        return False
    return True


def free_port(wanted=0, taken=(), count=1):
    """wanted if it is free, else any: below the range that outgoing connections take theirs from.
    With a count, so many after each other."""
    def fits(port):
        return all(at not in taken and is_port_free(at) for at in range(port, port + count))

    if wanted and fits(wanted):
        return wanted
    start = 20000 + (os.getpid() * 37) % 10000
    for port in range(start, start + 2000):
        if fits(port):
            return port
    raise Failure("no free port")


def free_ports(wanted=None):
    """{"https": port, …}; wanted gives the ports to prefer."""
    ports, taken = {}, []
    for name in STANDARD_PORTS:
        count = PORTS_NEEDED.get(name, 1)
        ports[name] = free_port((wanted or {}).get(name, 0), taken, count)
        taken += range(ports[name], ports[name] + count)
    return ports


def wait_until(condition, seconds, what):
    """condition()'s first true result; Failure with what (or what()) after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds} s in vain: {what() if callable(what) else what}")
        time.sleep(0.05)


class Child:
    """A process with a log. stop() ends it in good manner, and by force if it has none."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log_path = name, [str(word) for word in command], log
        with open(log, "ab") as output:
            self.began = output.tell()
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT,
                start_new_session=True, preexec_fn=die_with_parent, env=ENVIRONMENT)

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def log(self):
        """What this run of the process has written."""
        with open(self.log_path, "rb") as file:
            file.seek(self.began)
            return file.read().decode(errors="replace")

    def expect(self, pattern, seconds=10):
        """The match of pattern in the log, once it is there."""
        def look():
            if not self.is_running():
                raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.log()}")
            return re.search(pattern, self.log(), re.M)
        return wait_until(look, seconds,
                          lambda: f"{self.name} to write {pattern}\n{self.log()[-2000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=15):
        """The exit status; None if it had to be killed."""
        if self.is_running():
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


class Camera(Child):
    """The demo camera. Options as on its command line: codec="h265", b_frames=2, udp_only=True."""

    def __init__(self, build, log, wrap=(), **options):
        options = {"port": 0, **options}
        command = [*wrap, f"{build}/demo-camera"]
        for name, value in options.items():
            if value is True:
                command.append("--" + name.replace("_", "-"))
            elif value is not False and value is not None:
                command += ["--" + name.replace("_", "-"), value]
        super().__init__("camera", command, log)
        self.options = options
        self.url = self.expect(r"^camera: (rtsp://\S+)", 20).group(1)
        if options.get("user"):
            credentials = ":".join(urllib.parse.quote(options.get(word, ""), safe="")
                                   for word in ("user", "password"))
            self.url = self.url.replace("rtsp://", f"rtsp://{credentials}@")
        # The same port when it is started again.
        self.command[self.command.index("--port") + 1] = str(urllib.parse.urlsplit(self.url).port)


class Rig:
    """A server with an agent. wraps: {"server": [...], "agent": [...]} go before their commands."""

    def __init__(self, folder, build=None, ports=None, host="127.0.0.1", **settings):
        self.folder = os.path.abspath(folder)
        self.build = os.path.abspath(build or os.environ.get("CULVERT_BUILD")
                                     or f"{ROOT}/build/release")
        self.ports = ports or free_ports()
        self.host = host
        self.wraps = settings.pop("wraps", {})
        self.server_options = settings.pop("server_options", ["--listen", "127.0.0.1"])
        self.agent_options = settings.pop("agent_options", ["--allow-loopback"])
        self.server = self.agent = self.agent_id = None
        self.cameras, self.ended = [], []
        os.makedirs(self.folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    # ---- the server ---------------------------------------------------------------------------
    def cli(self, *words, text=None):
        """culvert WORDS --data-dir … --json, with text on its standard input: its answer, parsed."""
        command = [f"{self.build}/culvert", *[str(word) for word in words], "--data-dir",
                   self.path("server"), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False,
                              cwd=ROOT, input=text or "", env=ENVIRONMENT)
        if done.returncode != 0:
            raise Failure(f"culvert {' '.join(words[:2])}: {(done.stderr or done.stdout).strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def start_server(self):
        command = [*self.wraps.get("server", []), f"{self.build}/culvert", "serve",
                   "--data-dir", self.path("server"), "--public-host", self.host,
                   "--drain-time", "1s", *self.server_options]
        for name, port in self.ports.items():
            command += [f"--{name}-port", port]
        os.makedirs(self.path("server"), mode=0o700, exist_ok=True)
        self.server = Child("server", command, self.path("server.log"))
        wait_until(self.is_server_ready, 20,
                   lambda: f"the server to listen\n{self.server.log()[-2000:]}")

    def is_server_ready(self):
        if not self.server.is_running():
            raise Failure(f"the server ended with {self.server.process.returncode}:\n"
                          f"{self.server.log()[-3000:]}")
        try:
            self.cli("status")
            return True
        except (Failure, subprocess.TimeoutExpired, ValueError):
            return False

    # ---- the agent ----------------------------------------------------------------------------
    def enrol(self, name="home"):
        code = self.cli("agent", "code", name)["code"]
        command = [*self.wraps.get("agent", []), f"{self.build}/culvert-agent", "enroll", code,
                   "--state-dir", self.path("agent")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False,
                              cwd=ROOT, env=ENVIRONMENT)
        if done.returncode != 0:
            raise Failure(f"culvert-agent enroll: {(done.stderr or done.stdout).strip()}")
        self.agent_id = self.agents()[-1]["id"]

    def agents(self):
        return self.cli("agent", "list")

    def start_agent(self):
        command = [*self.wraps.get("agent", []), f"{self.build}/culvert-agent", "run",
                   "--state-dir", self.path("agent"), *self.agent_options]
        self.agent = Child("agent", command, self.path("agent.log"))

    def start(self):
        self.start_server()
        self.enrol()
        self.start_agent()
        return self

    def is_agent_online(self):
        return any(agent["id"] == self.agent_id and agent["online"] for agent in self.agents())

    def wait_agent(self, seconds=20):
        wait_until(self.is_agent_online, seconds,
                   lambda: f"the agent to be online\n{self.agent.log()[-1500:]}")

    # ---- cameras and tokens -------------------------------------------------------------------
    def start_camera(self, **options):
        camera = Camera(self.build, self.path(f"camera-{len(self.cameras)}.log"),
                        self.wraps.get("camera", []), **options)
        self.cameras.append(camera)
        return camera

    def add_camera(self, slug, url, *options):
        """The URL goes by standard input: on a command line all could read its password."""
        return self.cli("camera", "add", self.agent_id, slug, "-", "--name",
                        slug.replace("-", " ").capitalize(), *options, text=url + "\n")

    def remove_camera(self, slug):
        self.cli("camera", "remove", slug)

    def camera(self, slug, query="", **options):
        """Starts a demo camera and makes it known under slug; query is added to its URL."""
        camera = self.start_camera(**options)
        self.add_camera(slug, camera.url + query)
        return camera

    def token(self, label="test", *options):
        """{"id", "token", …}; options as those of culvert token add."""
        return self.cli("token", "add", label, *options)

    def show(self, slug):
        return self.cli("camera", "show", slug)

    def urls(self, slug, token):
        """{protocol: URL with the token in it} of every protocol that the server names."""
        return {name: url.replace("{token}", token)
                for name, url in self.show(slug)["urls"].items()}

    def wait_state(self, slug, states, seconds=20):
        """The camera's state, once it is one of these."""
        def look():
            state = self.show(slug)["state"]
            return state if state in states else None
        return wait_until(look, seconds, lambda: f"camera {slug} to be {' or '.join(states)}, "
                                                 f"it is {self.show(slug)['state']}")

    # ---- the end ------------------------------------------------------------------------------
    def close(self):
        """Stops everything; a list of what went wrong in the processes' lives and deaths."""
        wrong = []
        for child in [self.agent, *self.cameras, self.server]:
            if child is None:
                continue
            was_running = child.is_running()
            status = child.stop()
            found = SANITIZER.search(child.log()) if child in (self.agent, self.server) else None
            if found:
                wrong.append(f"{child.name}: {found.group(0)}, see {child.log_path}")
            if child in (self.agent, self.server) and (status != 0 or not was_running):
                wrong.append(f"{child.name} ended with {status}, see {child.log_path}")
        self.server = self.agent = None
        self.cameras = []
        return wrong
