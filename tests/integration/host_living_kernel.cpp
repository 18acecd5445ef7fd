// SPDX-License-Identifier: MIT
// Segments that are used without a mapping or a descriptor, or by ids that nobody sees on them.
#include "host_arrangements.h"

namespace snakepit::shm::test {

std::vector<LivingArrangement> living_in_the_kernel() {
    return {
        {"a file registered with io_uring", R"(
def main():
    become(); f = open_it(file('psm_%s' % random_name())); r = ring(); register_file(r, f)
    os.close(f); hold()
child(main)
ready())",
         true},
        {"memory registered with io_uring", R"(
def main():
    become(); name = file('psm_%s' % random_name()); r = ring(); register_buffer(r, name); hold()
child(main)
ready())"},
        {"a descriptor that is only a path", R"(
def maker():
    become(); file('psm_' + random)
random = random_name()
away(maker)
def main():
    become(USER + 1); hold()
kept = os.open(SHM + 'psm_' + random, os.O_PATH)
child(main)
ready())",
         true},
        {"memory without a name", R"(
def main():
    become(); f = os.memfd_create('cache'); os.write(f, b'x'); info = os.fstat(f)
    tell('memfd:%d:%d' % (info.st_dev, info.st_ino)); hold()
child(main)
ready())",
         true},
        {"mapped below another root", R"(
def maker():
    become(); file('psm_' + random)
random = random_name()
away(maker)
def outer():
    unshare(NEWNS); root = tempfile.mkdtemp()
    subprocess.check_call(['mount', '--rbind', '/', root]); os.chroot(root)
    m = map_it('psm_' + random); hold()
child(outer)
ready())",
         true},
        {"open through an overlay", R"(
def maker():
    become(); os.mkdir(SHM + 'lower_%d' % USER, 0o755); file('lower_%d/data' % USER)
away(maker)
def outer():
    unshare(NEWNS); f = os.open(overlay_of(SHM + 'lower_%d' % USER) + '/data', os.O_RDONLY); hold()
child(outer)
ready())",
         true},
        {"a mount where another user owns it", R"(
def maker():
    become(); file('psm_' + random); file('state_%d' % USER)
random = random_name()
away(maker)
def other():
    unshare(NEWNS); place = tempfile.mkdtemp(); idmapped(place, USER, USER + 1); become(USER + 1)
    os.close(os.open(place + '/psm_' + random, os.O_RDWR)); hold()
child(other)
ready())"},
        {"a user who may become its owner", R"(
def maker():
    become(); system_v(); file('psm_%s' % random_name())
away(maker)
def other():
    unshare(NEWNS); subprocess.check_call(['mount', '--make-rprivate', '/'])
    ids = tempfile.mktemp(); open(ids, 'w').write('tester:%d:5\n' % USER)
    subprocess.check_call(['mount', '--bind', ids, '/etc/subuid']); become(USER + 5); hold()
child(other)
ready())"},
        {"any program of root that was told the id", R"(
def maker():
    become(); os.write(tells, b'%d' % system_v())
seen, tells = os.pipe()
away(maker); number = os.read(seen, 100).decode()
def daemon_of_root():
    settled(); os.execv('/bin/sh', ['sh', '-c', 'while sleep 600; do ipcs -m -i %s; done' % number])
child(daemon_of_root)
ready())"},
        {"names that a person chose", R"(
def maker():
    become()
    for name in ('torch_2024_1_%d', 'nccl-r%d', 'cuda.shm.1.2.%d', 'pym-2024-run%d',
                 'vader_segment.training.%d.1.0', 'psm_0ba%d', 'sem.loky-2024-ab_%d',
                 'org.mozilla.ipc.2024.%d', 'pulse-shm-12345%d', 'WK2SharedMemory.12345%d'):
        file(name % USER)
away(maker)
ready())"},
    };
}

}  // namespace snakepit::shm::test
