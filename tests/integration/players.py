"""Real players, each as a function that plays a URL and says how many frames it decoded."""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

from rig import die_with_parent

LIVE555 = "/usr/lib/x86_64-linux-gnu/vlc/plugins/access/liblive555_plugin.so"


@dataclass
class Played:
    """What a player did: decoded frames of video and audio, seconds to the first, its last words."""
    video: int = 0
    audio: int = 0
    first: float = 0.0
    text: str = ""
    codecs: dict = field(default_factory=dict)  # {"video": "h264", …} as ffmpeg saw the input
    told: dict = field(default_factory=dict)  # what a player of whep/ says besides

    def __bool__(self):
        return self.video > 0


def run(command, seconds, **settings):
    """(standard output, standard error) of a command that is killed if it takes too long."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace",
                          start_new_session=True, preexec_fn=die_with_parent,
                          **settings) as process:
        try:
            return process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            kill(process)
            return process.communicate()
        finally:
            kill(process)


def kill(process):
    """The process and what it started, if it is still there."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def ffmpeg_input(url, transport):
    options = []
    if url.startswith("rtsp"):
        options += ["-rtsp_transport", transport]
    if url.startswith("https:"):
        options += ["-tls_verify", "0"]
    if url.startswith("srt:"):
        options += ["-analyzeduration", "500000"]  # else it looks at 5 s of media before it begins
    return [*options, "-i", url]


def ffmpeg(url, seconds=4, transport="tcp", patience=25, wrap=(), audio=True):
    """ffmpeg decodes so many seconds of media; one line a decoded frame is counted."""
    began = time.monotonic()
    command = [*wrap, "ffmpeg", "-nostdin", "-hide_banner", "-nostats", *ffmpeg_input(url, transport),
               "-t", str(seconds), "-map", "0:v:0", *(["-map", "0:a?"] if audio else []),
               "-fps_mode:v", "passthrough", "-f", "framecrc", "-flush_packets", "1", "-"]
    played, rest = Played(), ""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True,
                          preexec_fn=die_with_parent) as process:
        try:
            while True:
                left = max(0, began + patience - time.monotonic())
                readable, _, _ = select.select([process.stdout], [], [], left)
                piece = os.read(process.stdout.fileno(), 65536) if readable else b""
                if not piece:
                    break
                rest = count_lines(rest + piece.decode(errors="replace"), played, began)
        finally:
            kill(process)
    count_lines(rest + "\n", played, began)
    return played


def count_lines(text, played, began):
    """Counts framecrc's lines, keeps others as the player's words; returns the unfinished line."""
    *lines, rest = text.split("\n")
    for line in lines:
        if line.startswith("0,"):
            played.video += 1
            played.first = played.first or time.monotonic() - began
        elif line.startswith("1,"):
            played.audio += 1
        elif not line.startswith("#"):
            note_codec(line, played)
            played.text = (played.text + line + "\n")[-4000:]
    return rest


def note_codec(line, played):
    """Of "Stream #0:1: Audio: aac (LC), …" the first of a kind: the input's, not the output's."""
    found = re.search(r"Stream #0:\d.*: (Video|Audio): (\w+)", line)
    if found:
        played.codecs.setdefault(found.group(1).lower(), found.group(2))


def ffprobe(url, transport="tcp", patience=20):
    """{"video": codec name, "audio": codec name} as ffprobe sees them."""
    output, _ = run(["ffprobe", "-v", "error", *ffmpeg_input(url, transport), "-show_entries",
                     "stream=codec_type,codec_name", "-of", "csv=p=0"], patience)
    pairs = [line.split(",") for line in output.split() if "," in line]
    return {kind: codec for codec, kind in pairs}


def gstreamer(url, frames=75, transport="tcp", patience=25, media="video"):
    """gst-launch decodes so many frames and ends."""
    source = ["rtspsrc", f"location={url}", f"protocols={transport}", "latency=200",
              "tls-validation-flags=0", "!", f"application/x-rtp,media={media}"]
    command = ["gst-launch-1.0", "-v", *source, "!", "decodebin", "!", "identity", "name=frames",
               "silent=false", "!", "fakesink", f"num-buffers={frames}"]
    output, errors = run(command, patience)
    count = len(re.findall(r"frames.*chain", output))
    return Played(video=count, text=errors[-2000:])


def whep(url, seconds=3, *options, player="aiortc", patience=15):
    """aiortc or GStreamer ("gst") decodes for so many seconds; options are those of its script."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "whep", f"{player}_play.py")
    output, errors = run(["/usr/bin/python3", "-B", script, url, str(seconds), *options],
                         seconds + patience)
    try:
        told = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        return Played(text=output[-1000:] + errors[-2000:])
    text = errors[-2000:] if told["status"] == 201 else told["answer"]
    return Played(told["video"], told["audio"], (told["first_ms"] or 0) / 1000, text, told=told)


def vlc_has_rtsp():
    """Debian's VLC is built without live555, and so without RTSP."""
    return os.path.exists(LIVE555)


def vlc(url, seconds=6, options=(), trust=None):
    """VLC's own count of decoded pictures, asked for after so many seconds. It won't run as root."""
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o777)
        if trust:
            shutil.copy(trust, f"{home}/trusted.pem")
            os.chmod(f"{home}/trusted.pem", 0o644)
            options = [*options, f"--gnutls-dir-trust={home}"]
        who = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        process = subprocess.Popen(
            ["vlc", "-I", "oldrc", "--rc-fake-tty", "--vout=vdummy", "--aout=adummy",
             "--no-lua", *options, url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", cwd="/", start_new_session=True, preexec_fn=die_with_parent, **who,
            env={"HOME": home, "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": home})
        try:
            time.sleep(seconds)
            output, _ = process.communicate("stats\nquit\n", timeout=10)
        except subprocess.TimeoutExpired:
            kill(process)
            output, _ = process.communicate()
        finally:
            kill(process)
    return Played(video=last_number(r"video decoded\s*:\s*(\d+)", output),
                  audio=last_number(r"audio decoded\s*:\s*(\d+)", output), text=output[-3000:])


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0
