"""Forkserver: starts sidecars as copies of itself, which have loaded everything already.

A sidecar that is started afresh spends 15 ms of CPU on finding out who it is;
a copy spends 2. Whoever starts many on one machine talks to this process over
its standard input, a socket of messages (SOCK_SEQPACKET), one for each wish:

    down   log file, working directory, variables as NAME=value; all with a NUL between
    up     `started PID`, in the order of the wishes; `refused ERRNO`; `ended PID STATUS`

STATUS is what the shell would say: the exit status, or 128 and the signal. It
ends when the other side has closed; the sidecars live on.
"""

from __future__ import annotations

import _signal
import _socket
import posix
import sys

from dataplane.roles.queue_proxy import main as sidecar

MESSAGE_BYTES_MAX = 1 << 18
LOG_MODE = 0o600


def main() -> int:
    """Until the socket is closed. One thread only: a copy of another would be half a process."""
    wishes = _socket.socket(fileno=posix.dup(0))

    def reap(number: int, frame: object) -> None:
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = posix.waitstatus_to_exitcode(status)
            _say(wishes, f"ended {pid} {code if code >= 0 else 128 - code}")

    _signal.signal(_signal.SIGCHLD, reap)
    # The terminal's interrupt is for the one that started us, which closes the socket when it is time.
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    while True:
        wish = wishes.recv(MESSAGE_BYTES_MAX)
        if not wish:
            return 0
        # A copy that ends at once must not be told of before it has been named.
        _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGCHLD,))
        try:
            pid = posix.fork()
        except OSError as error:
            _say(wishes, f"refused {error.errno}")
        else:
            if not pid:
                wishes.close()
                _become(wish.split(b"\0"))
            _say(wishes, f"started {pid}")
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGCHLD,))


def _say(wishes: _socket.socket, text: str) -> None:
    try:
        wishes.send(text.encode())
    except OSError:
        # Nobody listens any more; the next turn ends.
        return


def _become(wish: list[bytes]) -> None:
    """In the copy: a sidecar with an environment, a folder and a log of its own. Never returns."""
    status = 1
    try:
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGCHLD,))
        posix.setsid()
        log, folder, *variables = wish
        posix.chdir(folder)
        nothing = posix.open("/dev/null", posix.O_RDONLY)
        output = posix.open(log, posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND, LOG_MODE)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            posix.dup2(source, target)
        posix.close(nothing)
        posix.close(output)
        posix.environ.clear()
        for variable in variables:
            name, _, value = variable.partition(b"=")
            posix.environ[name] = value
        status = sidecar()
    except BaseException as wrong:
        posix.write(2, f"{type(wrong).__name__}: {wrong}\n".encode())
    finally:
        posix._exit(status)


if __name__ == "__main__":
    sys.exit(main())
