"""What every integration test shares: a running relay, and its logs when a test fails."""
import fcntl
import itertools
import os
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rig as rigs  # noqa: E402

LOG_TAIL = 4000
running = []


def own_folder():
    """build/integration, or a numbered one beside it while another run has that."""
    for number in itertools.count(1):
        folder = os.path.join(rigs.ROOT, "build/integration" + (f"-{number}" if number > 1 else ""))
        os.makedirs(folder, exist_ok=True)
        lock = os.open(f"{folder}/lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder
        except BlockingIOError:
            os.close(lock)


FOLDER = own_folder()


def start_rig(name, **settings):
    folder = os.path.join(FOLDER, name)
    rigs.subprocess.run(["rm", "-rf", folder], check=True)
    rig = rigs.Rig(folder, **settings)
    running.append(rig)
    try:
        rig.start()
        rig.wait_agent()
    except BaseException:
        rig.close()
        running.remove(rig)
        raise
    return rig


def stop_rig(rig):
    running.remove(rig)
    wrong = rig.close()
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="session")
def relay():
    """One relay for all tests that leave it as they found it."""
    rig = start_rig("relay")
    yield rig
    stop_rig(rig)


@pytest.fixture(scope="session")
def token(relay):
    """A token for every camera and protocol of relay."""
    return relay.token()["token"]


@pytest.fixture
def own_relay(request):
    """A relay of the test's own: to be hurt. Settings by @pytest.mark.parametrize, indirect."""
    settings = getattr(request, "param", {})
    rig = start_rig(request.node.name.split("[")[0][:40], **settings)
    yield rig
    stop_rig(rig)


@pytest.fixture
def camera(relay, request):
    """camera(codec="h265", …): starts a demo camera behind relay; its slug."""
    made = []

    def make(query="", **options):
        slug = f"cam-{os.getpid()}-{abs(hash(request.node.name)) % 10**6}-{len(made)}"
        made.append((slug, relay.start_camera(**options)))
        relay.add_camera(slug, made[-1][1].url + query)
        return slug
    yield make
    for slug, child in made:
        relay.remove_camera(slug)
        child.stop()
        relay.cameras.remove(child)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for rig in running:
        for child in (rig.server, rig.agent):
            if child:
                report.sections.append((f"{child.log_path}, its end", child.log()[-LOG_TAIL:]))
