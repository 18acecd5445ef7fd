# SPDX-License-Identifier: MIT
"""One arrangement of processes around a segment, put together of parts that a test draws."""
from host_actor import *

NAMES = {
    "psm": lambda: "psm_" + random_name(),
    "torch": lambda: "torch_%d_9_%d" % (os.getpid(), USER),
    "pym": lambda: "pym-%d-%s" % (os.getpid(), random_name()),
    "loky": lambda: "sem.loky-%d-%s" % (os.getpid(), random_name()),
    "nccl": lambda: "nccl-" + random_name()[:6],
    "pulse": lambda: "pulse-shm-%d" % int(random_name(), 16),
    "chromium": lambda: ".org.chromium.Chromium." + random_name()[:6],
    "mpi": lambda: "vader_segment.host.%d.%s.0" % (USER, random_name()),
    "number": lambda: "engine.%d.%d" % (os.getpid(), USER),
    "unknown": lambda: "state_of_" + random_name(),
    "stays": lambda: "libpod_rootless_lock_%d" % USER,
    "again": lambda: "fastrtps_port%d" % USER,
}
MODES = {"owner": 0o600, "group": 0o660, "all": 0o666, "list": 0o600}


def make(kind, owner, mode):
    given = owner == "given"
    if not given:
        become(USER, [USER + 2])
    bits = MODES[mode]
    if kind in ("private", "key"):
        number = system_v(0x61000000 + USER if kind == "key" else PRIVATE, bits)
        state = (ctypes.c_uint32 * 64)()
        check(c.shmctl(number, STAT, state))
        state[1], state[2], state[5] = USER, USER + 2 if mode == "group" else USER, bits
        check(c.shmctl(number, SET, state))
        return str(number)
    name = NAMES[kind]()
    file(name, bits)
    if given or mode == "group":
        os.chown(SHM + name, USER, USER + 2 if mode == "group" else USER)
    if mode == "list":
        let_in(name, USER + 1)
    return name


def go_on(disguise):
    """Lives without anything of the segment's."""
    if disguise == "title":
        c.prctl(15, os.urandom(4).hex().encode(), 0, 0, 0)
    elif disguise == "user namespace":
        unshare(NEWUSER)
    elif disguise == "first thread":
        beside(lambda begun: (begun.set(), time.sleep(3600)))
        end_first_thread()
    elif disguise == "another program":
        settled()
        os.execv("/bin/sleep", ["sleep", "3600"])
    hold()


def have(name, how, disguise):
    """Opens, maps or attaches it, and goes on."""
    if name.isdigit():
        attach(int(name))
        return go_on("" if disguise == "another program" else disguise)
    if how == "map":
        kept = map_it(name)
        return go_on("" if disguise == "another program" else disguise)
    if how == "namespace":
        unshare(NEWNS)
        kept = map_it(name)
        return hold()
    if how == "socket":
        handle = open_it(name)
        pair = socket.socketpair()
        pair[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))])
        os.close(handle)
        return hold()
    if how == "thread":

        def rest(begun):
            unshare(FILES)
            kept = open_it(name)
            os.close(pipe_of_parent())
            begun.set()
            time.sleep(3600)

        beside(rest)
        return hold()
    os.set_inheritable(open_it(name), True)
    go_on(disguise)


def arrange(kind, owner, mode, place, maker, knower, holder, disguise, second):
    tells_name = os.pipe()
    tells_end = os.pipe()

    def make_it():
        os.write(tells_name[1], make(kind, owner, mode).encode())
        if maker == "lives":
            go_on("" if disguise == "another program" else disguise)
        settled()
        os.read(tells_end[0], 1)

    def around():
        if place == "mounts":
            unshare(NEWNS)
        if place == "inner container":
            in_container(lambda: (in_container(make_it, 40000 + USER % 1000), hold()), 30000 + USER % 1000)
        else:
            in_container(make_it, 30000 + USER % 1000)
        hold()

    child(make_it if place == "here" else around)
    name = os.read(tells_name[0], 200).decode()
    if second and not name.isdigit():
        os.link(SHM + name, SHM + "kept_%d" % USER)
    if holder:
        child(have, name, holder, disguise)
    if knower == "owner":
        daemon(lambda: (become(), go_on(disguise)))
    elif knower == "other":
        child(lambda: (become(USER + 1, [USER + 2]), go_on(disguise)))
    elif knower == "root":
        child(hold)
    os.write(tells_end[1], b"x")
    time.sleep(0.02)
    unshare(NEWIPC)  # this process does not administer them
    ready()
