# SPDX-License-Identifier: MIT
"""What arrangements around segments are written with: one process after another, by forks.

Says "segment NAME" for each segment it makes and "ready" when all stands. HOST_USER: the number of
a user that nothing else runs as.
"""
import array
import ctypes
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

USER = int(os.environ.get("HOST_USER", "0"))
SHM = "/dev/shm/"
LIBRARIES = ["/usr/lib/%s-linux-gnu/libz.so.1" % os.uname().machine, "/usr/lib64/libz.so.1"]
NEWPID, NEWNS, NEWUSER, FILES, NEWIPC = 0x20000000, 0x00020000, 0x10000000, 0x400, 0x08000000
PRIVATE, CREATE, REMOVE, SET, STAT = 0, 0o1000, 0, 1, 2

c = ctypes.CDLL(None, use_errno=True)
c.shmat.restype = ctypes.c_void_p
c.shmdt.argtypes = [ctypes.c_void_p]
told = -1  # the pipe on which a child says that it is settled


def check(value):
    if value in (-1, None, 2**64 - 1):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def loads(library):
    """Something that is called like this library is loaded."""
    place = tempfile.mkdtemp() + "/" + library
    shutil.copy(next(path for path in LIBRARIES if os.path.exists(path)), place)
    ctypes.CDLL(place)


def runs_as(program):
    """This program, under another name."""
    if os.path.basename(os.readlink("/proc/self/exe")) == program:
        return
    place = tempfile.mkdtemp() + "/" + program
    shutil.copy("/usr/bin/python3", place)
    os.execv(place, [place] + sys.orig_argv[1:])


def tell(name):
    say("segment", name)
    return name


def become(user=None, groups=()):
    user = USER if user is None else user
    os.setgroups(list(groups))
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def settled():
    global told
    if told >= 0:
        os.close(told)
    told = -1


def pipe_of_parent():
    """What a thread with descriptors of its own has to close too."""
    return told


def hold():
    settled()
    while True:
        signal.pause()


def ready():
    say("ready")
    hold()


def child(work, *words):
    """Runs `work` in a child. Returns when that is settled or has ended."""
    global told
    seen, tells = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            settled()
            os.close(seen)
            told = tells
            work(*words)
        except BaseException as error:
            say("failed", repr(error).replace("\n", " "))
        os._exit(0)
    os.close(tells)
    os.read(seen, 1)
    os.close(seen)
    return pid


def away(work, *words):
    """A child that has ended."""
    os.waitpid(child(work, *words), 0)


def daemon(work, *words):
    """A double fork, in a session of its own."""

    def between():
        os.setsid()
        child(work, *words)

    away(between)


def end_first_thread():
    """This must be the first thread; the others go on."""
    settled()
    c.syscall(60, 0)


def beside(work, *words):
    """A thread; returns when `work` has begun and set the event that it is given."""
    begun = threading.Event()
    threading.Thread(target=work, args=(begun, *words), daemon=True).start()
    begun.wait()


def file(name, mode=0o600, owner=None, directory=SHM):
    handle = os.open(directory + name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.fchmod(handle, mode)
    os.write(handle, b"x" * 8192)
    if owner is not None:
        os.fchown(handle, owner, owner)
    os.close(handle)
    return tell(name)


def open_it(name):
    return os.open(SHM + name, os.O_RDWR)


def map_it(name):
    handle = open_it(name)
    out = mmap.mmap(handle, 0)
    os.close(handle)
    return out


def let_in(name, user):
    """An access list: the owner and `user`."""
    entries = [(1, 6, 0xFFFFFFFF), (2, 6, user), (4, 0, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
    text = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(SHM + name, "system.posix_acl_access", text)


def system_v(key=PRIVATE, mode=0o600):
    number = check(c.shmget(key, 4096, CREATE | mode))
    tell("sysv:%d" % number)
    return number


def attach(number):
    return check(c.shmat(number, None, 0))


def use(number):
    c.shmdt(attach(number))


def give(number, user, mode=0o600):
    """Another owner."""
    state = (ctypes.c_uint32 * 64)()
    check(c.shmctl(number, STAT, state))
    state[1], state[2], state[5] = user, user, mode
    check(c.shmctl(number, SET, state))


def unshare(what):
    check(c.unshare(what))


def in_container(work, first=31000):
    """A child that is process `first` + 1 of a pid namespace of its own."""

    def one():
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(first))
        child(work)
        hold()

    unshare(NEWPID)
    return child(one)


def idmapped(place, owner, shown):
    """Mounts the segments at `place`, where those of `owner` belong to `shown`."""
    made, tells = os.pipe()
    pid = os.fork()
    if pid == 0:
        unshare(NEWUSER)
        os.write(tells, b"x")
        hold()
    os.read(made, 1)
    for name in ("uid_map", "gid_map"):
        with open("/proc/%d/%s" % (pid, name), "w") as ids:
            ids.write("%d %d 1" % (owner, shown))
    users = os.open("/proc/%d/ns/user" % pid, os.O_RDONLY)
    tree = check(c.syscall(428, -100, SHM.encode(), 0x80001))  # open_tree(), a copy
    attributes = struct.pack("=QQQQ", 0x100000, 0, 0, users)
    check(c.syscall(442, tree, b"", 0x1000, attributes, len(attributes)))  # mount_setattr()
    check(c.syscall(429, tree, b"", -100, place.encode(), 4))  # move_mount()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def ring():
    """An io_uring."""
    return check(c.syscall(425, 1, ctypes.create_string_buffer(120)))


def register_file(ring, handle):
    check(c.syscall(427, ring, 2, struct.pack("i", handle), 1))


def register_buffer(ring, name):
    """Memory of a segment, which is then neither mapped nor open."""
    handle = open_it(name)
    c.mmap.restype = ctypes.c_void_p
    place = check(c.mmap(None, ctypes.c_size_t(4096), 3, 1, handle, ctypes.c_long(0)))
    check(c.syscall(427, ring, 0, struct.pack("=QQ", place, 4096), 1))
    c.munmap(ctypes.c_void_p(place), ctypes.c_size_t(4096))
    os.close(handle)


def overlay_of(directory):
    """Mounts an overlay that shows `directory`; returns where."""
    base = tempfile.mkdtemp()
    for name in ("empty", "merged"):
        os.mkdir(base + "/" + name)
    layers = "lowerdir=%s:%s/empty" % (directory, base)
    subprocess.check_call(["mount", "-t", "overlay", "overlay", "-o", layers, base + "/merged"])
    return base + "/merged"


def random_name():
    return os.urandom(4).hex()


def openmp():
    """A program of clang's OpenMP, of USER; nothing where there is no compiler for it."""
    compiler = shutil.which("clang")
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    with open(folder + "/program.c", "w") as source:
        source.write(
            "#include <unistd.h>\nint main(void) {\n#pragma omp parallel\n{}\n"
            "write(1, \"x\", 1); return sleep(3600); }\n"
        )
    words = ["-w", "-fopenmp", "-o", folder + "/program", folder + "/program.c"]
    if not compiler or subprocess.run([compiler] + words, stderr=subprocess.DEVNULL).returncode:
        return
    become()
    runs = subprocess.Popen([folder + "/program"], stdout=subprocess.PIPE)
    runs.stdout.read(1)
    tell("__KMP_REGISTERED_LIB_%d_%d" % (runs.pid, USER))


def known_to_the_system():
    """USER gets a name, for programs that ask for it, where this process is."""
    unshare(NEWNS)
    subprocess.check_call(["mount", "--make-rprivate", "/"])
    place = tempfile.mktemp()
    with open(place, "w") as users:
        users.write(open("/etc/passwd").read() + "tester:x:%d:%d::/:/bin/sh\n" % (USER, USER))
    subprocess.check_call(["mount", "--bind", place, "/etc/passwd"])
    os.unlink(place)


def postgresql(called="postgres"):
    """A server of PostgreSQL, of USER, whose program is called like this; tells what it makes."""
    versions = "/usr/lib/postgresql"
    found = sorted(os.listdir(versions)) if os.path.isdir(versions) else []
    if not found or USER == 0:
        return
    programs = "%s/%s/bin/" % (versions, found[-1])
    folder = tempfile.mkdtemp()
    os.chown(folder, USER, USER)
    known_to_the_system()
    become()
    data = folder + "/data"
    subprocess.check_call(
        [programs + "initdb", "-D", data, "-A", "trust", "--no-sync", "--no-locale"], stdout=subprocess.DEVNULL, cwd=folder
    )
    server = programs + "postgres"
    if called != "postgres":
        shutil.copy(server, folder + "/" + called)
        server = folder + "/" + called
    runs = subprocess.Popen(
        [server, "-D", data, "-k", folder, "-c", "listen_addresses="], stderr=subprocess.PIPE, cwd=folder, text=True
    )
    for line in runs.stderr:
        if "ready to accept connections" in line:
            break
    for name in os.listdir(SHM):
        if name.startswith("PostgreSQL.") and os.stat(SHM + name).st_uid == USER:
            tell(name)
    for row in open("/proc/sysvipc/shm").read().splitlines()[1:]:
        fields = row.split()
        if int(fields[4]) == runs.pid:
            tell("sysv:" + fields[1])


def chromium():
    """A browser of USER; tells what has a name."""
    program = shutil.which("chromium")
    if not program or USER == 0:
        return
    become()
    folder = tempfile.mkdtemp()
    words = "--headless --no-sandbox --disable-gpu --no-first-run --remote-debugging-port=0 about:blank"
    runs = subprocess.Popen(
        [program, "--user-data-dir=" + folder] + words.split(),
        stderr=subprocess.PIPE,
        cwd=folder,
        env=dict(os.environ, HOME=folder),
        text=True,
    )
    for line in runs.stderr:
        if "DevTools listening" in line:
            break
    for name in os.listdir(SHM):
        if "hromium" in name and os.stat(SHM + name).st_uid == USER:
            tell(name)
