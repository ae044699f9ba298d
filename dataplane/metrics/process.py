"""Process: what the kernel counts about this process.

Names and units are those that Prometheus clients use everywhere.
Source: proc(5); prometheus.io, "Writing client libraries", process metrics.
"""

from __future__ import annotations

# What `os` passes on, without the 1 ms that importing it costs.
import posix

KILOBYTE = 1024


def readings() -> list[tuple[str, str, str, float]]:
    """(name, kind, help, value) of each metric; empty where there is no /proc.

    Times are in seconds, memory in bytes.
    """
    try:
        with open("/proc/self/stat", "rb") as file:
            # The second field may hold spaces and parentheses; the rest does not.
            fields = file.read().rpartition(b")")[2].split()
        with open("/proc/self/status", "rb") as file:
            status = file.read()
        with open("/proc/stat", "rb") as file:
            boot = next(int(line.split()[1]) for line in file if line.startswith(b"btime"))
        # The listing itself opens one.
        descriptors = len(posix.listdir("/proc/self/fd")) - 1
    except (OSError, StopIteration):
        return []
    ticks = posix.sysconf("SC_CLK_TCK")
    cpu = (int(fields[11]) + int(fields[12])) / ticks
    return [
        ("process_cpu_seconds_total", "counter", "User and system CPU time spent, in seconds.", cpu),
        ("process_open_fds", "gauge", "Number of open file descriptors.", descriptors),
        ("process_max_fds", "gauge", "Number of file descriptors that may be open.", posix.sysconf("SC_OPEN_MAX")),
        ("process_virtual_memory_bytes", "gauge", "Virtual memory, in bytes.", int(fields[20])),
        ("process_resident_memory_bytes", "gauge", "Resident memory, in bytes.", _status_bytes(status, b"VmRSS:")),
        ("process_threads", "gauge", "Number of threads.", int(fields[17])),
        (
            "process_start_time_seconds",
            "gauge",
            "Start of the process, in Unix seconds.",
            boot + int(fields[19]) / ticks,
        ),
    ]


def _status_bytes(status: bytes, name: bytes) -> int:
    found = status.partition(name)[2].split(None, 1)
    return int(found[0]) * KILOBYTE if found else 0
