// SPDX-License-Identifier: MIT
#include "host_arrangements.h"

namespace snakepit::shm::test {

namespace {

using Living = std::vector<LivingArrangement>;

// A number or a name is inherited, written down and passed on.
const Living kPassedOn{
    {"a daemon with short workers", R"(
def serve():
    become(); n = system_v()
    def go_on():
        away(use, n)
        hold()
    child(go_on)
child(serve)
ready())"},
    {"a starter that made three, of which one is attached", R"(
def serve():
    become(); three = [system_v() for _ in range(3)]
    def go_on():
        attach(three[2])
        hold()
    daemon(go_on)
away(serve)
ready())"},
    {"a number in a file that a pool of workers reads", R"(
def pool(path):
    child(lambda: use(int(open(path).read())))
    hold()
def begin():
    become(); path = tempfile.mktemp(); open(path, 'w').write(str(system_v())); daemon(pool, path)
away(begin)
ready())"},
    {"a number that went through a pipe to another user", R"(
seen, tells = os.pipe()
def other():
    become(USER + 1, [USER + 2]); os.read(seen, 100); hold()
def maker():
    become(USER, [USER + 2]); n = system_v(mode=0o666); os.write(tells, b'%d' % n)
away(maker); child(other)
ready())"},
    {"of a group, to another user of it", R"(
def other():
    become(USER + 1, [USER + 2]); hold()
def maker():
    n = system_v(mode=0o660); state = (ctypes.c_uint32 * 64)(); c.shmctl(n, STAT, state)
    state[1], state[2], state[5] = USER, USER + 2, 0o660; check(c.shmctl(n, SET, state))
child(other); away(maker)
ready())"},
    {"System V: another owner by IPC_SET, its maker lives",
     "n = system_v(); give(n, USER); ready()"},
    {"System V: another owner by IPC_SET, a child of its maker lives", R"(
def maker():
    give(system_v(), USER); daemon(hold)
away(maker)
ready())"},
    {"another owner by chown, its maker lives", R"(
file('psm_%s' % random_name(), owner=USER)
file('torch_%d_7_7' % os.getpid(), owner=USER)
ready())"},
    {"another owner by chown, a child of its maker lives", R"(
def maker():
    file('psm_%s' % random_name(), owner=USER); daemon(hold)
away(maker)
ready())"},
    {"an access list lets another user in", R"(
def other():
    become(USER + 1); hold()
def maker():
    become(); name = file('psm_%s' % random_name()); let_in(name, USER + 1)
away(maker); child(other)
ready())"},
    {"a second name that somebody gave it to keep it", R"(
def maker():
    become(); name = file('psm_%s' % random_name()); os.link(SHM + name, SHM + 'zz_kept_%d' % USER)
away(maker)
ready())"},
    {"a name that is like Python's, but is somebody's own", R"(
def maker():
    become(); file('psm_1'); file('psm_cafe'); file('sem.mp-door'); file('vineyard-data')
away(maker)
ready())"},
};

const Living kThreads{
    {"its first thread ended, System V and files idle", R"(
def main():
    become(); system_v(); file('psm_%s' % random_name()); file('torch_%d_8_8' % os.getpid())
    def rest(begun):
        begun.set(); time.sleep(600)
    beside(rest); end_first_thread()
child(main)
ready())"},
    {"its first thread ended, and another has it mapped", R"(
def main():
    become(); name = file('pulse-shm-%d' % USER); m = map_it(name)
    def rest(begun):
        begun.set(); time.sleep(600)
    beside(rest); end_first_thread()
child(main)
ready())",
     true},
    {"its first thread ended, and another has it open", R"(
def main():
    become(); f = open_it(file('nccl-%d' % USER))
    def rest(begun):
        begun.set(); time.sleep(600)
    beside(rest); end_first_thread()
child(main)
ready())",
     true},
    {"a thread with descriptors of its own has it open", R"(
def main():
    become(); name = file('nccl-t%d' % USER)
    def rest(begun):
        unshare(FILES); f = open_it(name); os.close(pipe_of_parent()); begun.set(); time.sleep(600)
    beside(rest); hold()
child(main)
ready())",
     true},
    {"a thread acts for the user, its process does not", R"(
def server():
    numbers = os.pipe()
    def maker():
        become(); os.write(numbers[1], b'%d' % system_v())
    away(maker); n = int(os.read(numbers[0], 100))
    def rest(begun):
        c.syscall(106, USER); c.syscall(117, USER, USER, USER); begun.set(); time.sleep(600)
    beside(rest); hold()
child(server)
ready())"},
    {"a thread with a mount namespace of its own has it mapped", R"(
def main():
    name = file('pulse-shm-9%d' % USER, owner=USER)
    def rest(begun):
        unshare(NEWNS); m = map_it(name); begun.set(); time.sleep(600)
    beside(rest); hold()
child(main)
ready())",
     true},
    {"its program has another name", R"(
def main():
    become(); folder = tempfile.mkdtemp(); shutil.copy('/usr/bin/python3', folder + '/engine')
    os.set_inheritable(tells, True); settled()
    os.execv(folder + '/engine', ['engine', '-c', 'from host_actor import *; system_v();'
             ' file("psm_%%s" %% random_name()); os.write(%d, b"x"); hold()' % tells])
seen, tells = os.pipe()
child(main)
os.read(seen, 1)
ready())"},
    {"a thread's number in the name", R"(
def main():
    become()
    def rest(begun):
        file('torch_%d_6_6' % threading.get_native_id()); begun.set(); time.sleep(600)
    beside(rest); hold()
child(main)
ready())"},
    {"its process's title was changed", R"(
def main():
    become(); c.prctl(15, b'worker', 0, 0, 0); system_v(); file('psm_%s' % random_name()); hold()
child(main)
ready())"},
};

const Living kNamespaces{
    {"a container that shares the files", R"(
def inside():
    file('torch_%d_5_5' % os.getpid(), owner=USER); hold()
in_container(inside, 31100)
ready())"},
    {"a container in a container", R"(
def outer():
    def inner():
        file('torch_%d_5_6' % os.getpid(), owner=USER); hold()
    in_container(inner, 31200)
    hold()
in_container(outer, 31300)
ready())"},
    {"a container with mounts of its own", R"(
def outer():
    unshare(NEWNS)
    def inside():
        file('torch_%d_5_7' % os.getpid(), owner=USER); hold()
    in_container(inside, 31400); hold()
child(outer)
ready())"},
    {"a container with another root", R"(
def outer():
    unshare(NEWNS); root = tempfile.mkdtemp()
    subprocess.check_call(['mount', '--rbind', '/', root])
    def inside():
        os.chroot(root); file('torch_%d_5_8' % os.getpid(), owner=USER); hold()
    in_container(inside, 31500); hold()
child(outer)
ready())"},
    {"a container that has the files elsewhere", R"(
def outer():
    unshare(NEWNS); place = tempfile.mkdtemp()
    subprocess.check_call(['mount', '--bind', '/dev/shm', place])
    subprocess.check_call(['mount', '-t', 'tmpfs', 'x', '/dev/shm'])
    def inside():
        file('torch_%d_5_9' % os.getpid(), owner=USER, directory=place + '/'); hold()
    in_container(inside, 31600); hold()
child(outer)
ready())"},
    {"a user namespace", R"(
def main():
    become(); system_v(); file('psm_%s' % random_name()); unshare(NEWUSER); hold()
child(main)
ready())"},
    {"mapped in another mount namespace", R"(
def maker():
    become(); file('psm_' + random[:])
random = random_name()
away(maker)
def outer():
    unshare(NEWNS); m = map_it('psm_' + random); hold()
child(outer)
ready())",
     true},
    {"attached from a pid namespace", R"(
def maker():
    become(); os.write(tells, b'%d' % system_v())
seen, tells = os.pipe()
away(maker); n = int(os.read(seen, 100))
def inside():
    attach(n); hold()
in_container(inside, 31700)
ready())",
     true},
};

const Living kComesBack{
    {"a daemon that left its session", R"(
def maker():
    become(); system_v(); file('psm_%s' % random_name()); daemon(hold)
away(maker)
ready())"},
    {"a program that is started again and again", R"(
def once(key):
    c.shmget(key, 4096, CREATE | 0o600)
def maker():
    become(); key = 0x6d000000 + USER; system_v(key)
    def cron():
        child(once, key); hold()
    daemon(cron)
away(maker)
ready())"},
    {"a lock that stands between runs", R"(
def maker():
    become(); file('libpod_rootless_lock_%d' % USER); file('libpod_lock')
away(maker)
ready())"},
    {"a database's key", R"(
def maker():
    become(); attach(system_v(0x52000000 + USER))
away(maker)
ready())"},
    {"an OpenMP program that runs", "openmp(); ready()"},
    {"started again by a shell that left its session", R"(
def maker():
    become(); number = system_v(); path = tempfile.mktemp(); open(path, 'w').write(str(number))
    def cron():
        os.setsid(); settled()
        os.execv('/bin/sh', ['sh', '-c', 'while sleep 30; do ipcs -m -i $(cat %s) > /dev/null; done' % path])
    daemon(cron)
away(maker)
ready())"},
    {"a child in a user and a pid namespace comes back to it", R"(
def maker():
    become(); system_v(); file('psm_%s' % random_name())
    def inside():
        c.unshare(NEWUSER | NEWPID); child(hold); hold()
    daemon(inside)
away(maker)
ready())"},
    {"a number in an unknown name", R"(
def main():
    become(); file('engine.%d.data' % os.getpid()); hold()
child(main)
ready())"},
};

const Living kHeld{
    {"a server of PostgreSQL", "postgresql(); ready()", true},
    {"a server of PostgreSQL whose program has another name", "postgresql('database'); ready()",
     true},
    {"removed already, and attached", R"(
def main():
    become(); n = system_v(0x7f000000 + USER); attach(n); c.shmctl(n, REMOVE, None); hold()
child(main)
ready())",
     true},
    {"one of two names is mapped", R"(
def main():
    become(); name = file('psm_%s' % random_name()); m = map_it(name)
    os.link(SHM + name, SHM + 'second_%d' % USER); tell('second_%d' % USER); hold()
child(main)
ready())",
     true},
    {"a descriptor that a child inherited", R"(
def maker():
    become(); f = open_it(file('psm_%s' % random_name())); os.set_inheritable(f, True)
    def heir():
        settled(); os.execv('/bin/sleep', ['sleep', '600'])
    daemon(heir)
away(maker)
ready())",
     true},
    {"a descriptor on its way through a socket", R"(
def maker():
    become(); file('psm_' + random)
random = random_name()
away(maker); f = open_it('psm_' + random); pair = socket.socketpair()
pair[0].sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [f]))]); os.close(f)
ready())",
     true},
    {"a loop device on it", R"(
def maker():
    become(); file('psm_' + random)
random = random_name()
away(maker)
done = subprocess.run(['losetup', '-f', '--show', SHM + 'psm_' + random], capture_output=True, text=True)
if done.returncode:
    os.unlink(SHM + 'psm_' + random)
else:
    device = os.open(done.stdout.strip(), os.O_RDONLY)
    subprocess.check_call(['losetup', '-d', done.stdout.strip()])  # when it is closed
ready())",
     true},
    {"a lease of its owner's on it", R"(
def maker():
    become(); import fcntl
    name = file('psm_%s' % random_name()); f = open_it(name); fcntl.fcntl(f, 1024, 1); hold()
child(maker)
ready())",
     true},
    {"bound to another place", R"(
def maker():
    become(); file('psm_' + random)
random = random_name()
away(maker)
def outer():
    unshare(NEWNS); place = tempfile.mktemp(); open(place, 'w')
    subprocess.check_call(['mount', '--bind', SHM + 'psm_' + random, place]); hold()
child(outer)
ready())"},
    {"a second name where nobody may look", R"(
def maker():
    become(); os.mkdir(SHM + 'hidden_%d' % USER, 0o700); name = file('psm_%s' % random_name())
    os.link(SHM + name, SHM + 'hidden_%d/kept' % USER)
away(maker)
ready())"},
};

}  // namespace

Living living_arrangements() {
    Living all;
    for (const auto* some : {&kPassedOn, &kThreads, &kNamespaces, &kComesBack, &kHeld})
        all.insert(all.end(), some->begin(), some->end());
    const auto of_kernel = living_in_the_kernel();
    all.insert(all.end(), of_kernel.begin(), of_kernel.end());
    return all;
}

}  // namespace snakepit::shm::test
