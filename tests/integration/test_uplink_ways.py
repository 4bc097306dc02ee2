"""The agent's ways to the server where not all is let through: proxies, and what looks for ALPN."""
import asyncio
import base64
import os
import subprocess
import threading
import time

import players
import pytest
import rig as rigs

LOGIN = "cam era:p@ss/w%rd"
LOGIN_IN_URL = "cam%20era:p%40ss%2Fw%25rd"
SECRETS = ("p@ss", "p%40ss", base64.b64encode(LOGIN.encode()).decode())
CLEAN = ["env", *[f"-u{name}" for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY")]]


class Middlebox:
    """A TCP server of the test's own, on a thread: subclasses say what is let through where."""

    def __init__(self, port):
        self.target, self.passed, self.refused = port, 0, 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        listening = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self.serve, "127.0.0.1", 0), self.loop)
        self.server = listening.result(10)
        self.port = self.server.sockets[0].getsockname()[1]

    def close(self):
        def stop():
            self.server.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.call_later(0.1, self.loop.stop)
        self.loop.call_soon_threadsafe(stop)
        self.thread.join(10)

    async def serve(self, reader, writer):
        try:
            first = await asyncio.wait_for(self.admit(reader, writer), 10)
            if first is None:
                self.refused += 1
            else:
                self.passed += 1
                await self.relay(reader, writer, first)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()

    async def relay(self, reader, writer, first):
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        back.write(first)
        pipes = [asyncio.ensure_future(pipe(reader, back)), asyncio.ensure_future(pipe(there, writer))]
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        for task in pipes:
            task.cancel()
        back.close()


async def pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


class Proxy(Middlebox):
    """HTTP CONNECT, to one server whatever is asked for."""

    def __init__(self, port, login=None, answer=None, blocks_alpn=False):
        self.login, self.answer, self.blocks_alpn, self.asked = login, answer, blocks_alpn, []
        super().__init__(port)

    async def admit(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split("\r\n", 1)[0])
        wanted = self.login and "Basic " + base64.b64encode(self.login.encode()).decode()
        if wanted and f"Proxy-Authorization: {wanted}\r\n" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                         b"Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
            return None
        if self.answer:
            writer.write(self.answer)
            return None
        writer.write(b"HTTP/1.0 200 Connection established\r\nVia: test\r\n\r\n")
        return await past_alpn(reader) if self.blocks_alpn else b""


class AlpnFilter(Middlebox):
    """Closes what says culvert/1 in its ClientHello."""

    async def admit(self, reader, writer):
        return await past_alpn(reader)


async def past_alpn(reader):
    head = await reader.readexactly(5)
    hello = head + await reader.readexactly(int.from_bytes(head[3:5], "big"))
    return None if b"culvert/1" in hello else hello


@pytest.fixture
def boxes():
    made = []
    yield lambda kind, *args, **options: made.append(kind(*args, **options)) or made[-1]
    for box in made:
        box.close()


@pytest.fixture
def behind(request, boxes):
    """behind(make): a relay whose agent has the options that make(relay) gives."""
    from conftest import FOLDER, running, stop_rig
    made = []

    def start(make, environment=()):
        folder = os.path.join(FOLDER, request.node.name.split("[")[0][:40])
        subprocess.run(["rm", "-rf", folder], check=True)
        relay = rigs.Rig(folder, wraps={"agent": [*CLEAN, *environment]})
        made.append(relay)
        running.append(relay)
        relay.start_server()
        relay.enrol()
        relay.agent_options = ["--allow-loopback", *make(relay)]
        relay.start_agent()
        return relay
    yield start
    for relay in made:
        if relay.server:
            stop_rig(relay)


def status(relay):
    done = subprocess.run([f"{relay.build}/culvert-agent", "status", "--state-dir",
                           relay.path("agent")], capture_output=True, text=True, timeout=10,
                          check=False, env=rigs.ENVIRONMENT)
    return done.stdout


def plays(relay, transport):
    """Frames come to a viewer, and the agent says that it came by that way."""
    relay.wait_agent(40)
    relay.agent.expect(rf"connected .*transport=\"?{transport}\"?$")
    relay.add_camera("porch", relay.start_camera().url)
    url = relay.urls("porch", relay.token()["token"])["rtsp"]
    assert players.ffprobe(url).get("video") == "h264"
    played = players.ffmpeg(url, 3)
    assert played.video > 30, played.text
    rigs.wait_until(lambda: f"transport: {transport}\n" in status(relay), 5,
                    lambda: f"status to say {transport}: {status(relay)}")
    with open(relay.path("agent/way"), encoding="ascii") as file:
        assert file.read() == transport + "\n"


def test_through_a_proxy_where_nothing_else_leads_out(behind, boxes):
    proxy = []

    def options(relay):
        proxy.append(boxes(Proxy, relay.ports["https"]))
        return ["--server", "culvert.invalid:443", "--proxy", f"http://127.0.0.1:{proxy[0].port}"]
    relay = behind(options)
    plays(relay, "proxy")
    assert "CONNECT culvert.invalid:443 HTTP/1.1" in proxy[0].asked
    assert proxy[0].passed >= 2  # the control connection and the lane


def test_through_a_proxy_that_wants_a_password_which_is_nowhere_shown(behind, boxes):
    def options(relay):
        proxy = boxes(Proxy, relay.ports["https"], login=LOGIN)
        return ["--server", "culvert.invalid", "--log-level", "debug",
                "--proxy", f"http://{LOGIN_IN_URL}@127.0.0.1:{proxy.port}/"]
    relay = behind(options)
    plays(relay, "proxy")
    config = subprocess.run(
        [f"{relay.build}/culvert-agent", "config", "--state-dir", relay.path("agent"),
         *relay.agent_options], capture_output=True, text=True, timeout=10, check=True,
        env=rigs.ENVIRONMENT)
    assert 'proxy = "http://***@127.0.0.1:' in config.stdout
    shown = config.stdout + status(relay) + relay.agent.log() + relay.server.log()
    for secret in SECRETS:
        assert secret not in shown


@pytest.mark.parametrize("url, answer, words", [
    ("http://127.0.0.1:{}", None, r"the proxy asks for a user and a password \(407\)"),
    ("http://who:wrong@127.0.0.1:{}", None, r"the proxy refuses the user and password"),
    ("http://" + LOGIN_IN_URL + "@127.0.0.1:{}", b"HTTP/1.1 403 Forbidden\r\n\r\n",
     r"the proxy does not allow connections to this server \(403\)"),
    ("http://" + LOGIN_IN_URL + "@127.0.0.1:{}", b"SSH-2.0-no-proxy\r\n\r\n", "speaks no HTTP"),
])
def test_what_a_proxy_refuses_is_said_in_words(behind, boxes, url, answer, words):
    def options(relay):
        proxy = boxes(Proxy, relay.ports["https"], login=LOGIN, answer=answer)
        return ["--server", "culvert.invalid:443", "--proxy", url.format(proxy.port)]
    relay = behind(options)
    relay.agent.expect(words, 20)
    rigs.wait_until(lambda: "proxy" in status(relay), 10, lambda: status(relay))
    for secret in (*SECRETS, "wrong"):
        assert secret not in relay.agent.log() + status(relay)


def test_in_a_websocket_where_alpn_is_looked_at(behind, boxes):
    box = []

    def options(relay):
        box.append(boxes(AlpnFilter, relay.ports["https"]))
        return ["--server", f"127.0.0.1:{box[0].port}"]
    relay = behind(options)
    plays(relay, "websocket")
    assert box[0].refused >= 1 and box[0].passed >= 1


def test_in_a_websocket_through_a_proxy_that_looks_at_alpn(behind, boxes):
    box = []

    def options(relay):
        box.append(boxes(Proxy, relay.ports["https"], blocks_alpn=True))
        return ["--server", "culvert.invalid:443", "--proxy", f"127.0.0.1:{box[0].port}"]
    relay = behind(options)
    plays(relay, "websocket via proxy")
    assert box[0].refused >= 1 and box[0].passed >= 2


def test_what_worked_is_tried_first_and_all_again_when_it_fails(behind, boxes):
    box = []

    def options(relay):
        box.append(boxes(AlpnFilter, relay.ports["https"]))
        return ["--server", f"127.0.0.1:{box[0].port}"]
    relay = behind(options)
    relay.wait_agent(30)
    refused = box[0].refused
    assert relay.agent.stop() == 0
    relay.start_agent()
    relay.agent.expect("connected .*transport=websocket", 20)
    assert box[0].refused == refused  # no other way was tried first
    assert relay.agent.stop() == 0
    with open(relay.path("agent/way"), "w", encoding="ascii") as file:
        file.write("direct\n")
    relay.start_agent()
    relay.agent.expect("connected .*transport=websocket", 20)
    assert box[0].refused == refused + 1


def test_the_environments_proxy_is_taken_but_not_where_no_proxy_says_so(behind, boxes):
    proxy = boxes(Proxy, 1)
    environment = [f"https_proxy=http://127.0.0.1:{proxy.port}", "NO_PROXY=other.org,.invalid"]
    relay = behind(lambda relay: ["--server", "culvert.invalid:443"], environment)
    relay.agent.expect("connection-lost", 20)
    time.sleep(1)
    assert not proxy.asked
    relay.agent.stop()
    proxy.target = relay.ports["https"]
    relay.wraps["agent"][-1] = "NO_PROXY=other.org"
    relay.start_agent()
    relay.agent.expect("connected .*transport=proxy", 20)
    assert proxy.asked


def test_enrolment_goes_the_same_ways(boxes, relay):
    proxy = boxes(Proxy, relay.ports["https"], blocks_alpn=True)
    code = relay.cli("agent", "code", "second")["code"]
    folder = relay.path("second")
    done = subprocess.run(
        [*CLEAN, f"{relay.build}/culvert-agent", "enroll", code, "--state-dir", folder, "--server",
         "culvert.invalid:443", "--proxy", f"http://127.0.0.1:{proxy.port}"],
        capture_output=True, text=True, timeout=30, check=False, env=rigs.ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    with open(f"{folder}/way", encoding="ascii") as file:
        assert file.read() == "websocket via proxy\n"
    relay.cli("agent", "revoke", relay.agents()[-1]["id"])


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1080", "https://u:sesame@h:1", "http://u:sesame@h"])
def test_a_proxy_that_can_not_be_is_said_without_its_password(relay, tmp_path, url):
    code = relay.cli("agent", "code", "third")["code"]
    done = subprocess.run(
        [*CLEAN, f"{relay.build}/culvert-agent", "enroll", code, "--state-dir", tmp_path / "a",
         "--proxy", url], capture_output=True, text=True, timeout=30, check=False,
        env=rigs.ENVIRONMENT)
    assert done.returncode != 0 and "proxy: " in done.stderr
    assert "sesame" not in done.stderr + done.stdout
