// SPDX-License-Identifier: MIT
#include "host_arrangements.h"

namespace snakepit::shm::test {

namespace {

// Nobody finds it again by design, and the kernel says who made it. Of root somebody always lives
// who may know of it.
constexpr Wanted kCertainly{"left_over", 90, true}, kAlmost{"left_over", 75};
// A name proves nothing: a person may have chosen it.
constexpr Wanted kByName{"left_over", 85};
// Other programs of root's may still come back to it; others' tests run some.
constexpr Wanted kOfSomeProgram{"left_over|kept|unknown", 50};
constexpr Wanted kNotToBeTold{"unknown", 0};

}  // namespace

std::vector<DeadArrangement> dead_arrangements() {
    return {
        {"Python: SharedMemory",
         "become()\n"
         "from multiprocessing import shared_memory\n"
         "memory = shared_memory.SharedMemory(create=True, size=8192)\n"
         "tell(memory.name.lstrip('/'))\n"
         "ready()\n",
         kByName, kOfSomeProgram},
        {"Python: a pool's numpy-like array",
         "become()\n"
         "import multiprocessing\n"
         "from multiprocessing import shared_memory\n"
         "def work(name):\n"
         "    mine = shared_memory.SharedMemory(name); mine.buf[0] = 1; mine.close()\n"
         "memory = shared_memory.SharedMemory(create=True, size=1 << 20)\n"
         "pool = multiprocessing.get_context('fork').Pool(2)\n"
         "pool.map(work, [memory.name] * 4)\n"
         "tell(memory.name.lstrip('/'))\n"
         "ready()\n",
         kByName, kOfSomeProgram},
        {"Python: a lock of spawned processes",
         "become()\n"
         "import multiprocessing\n"
         "lock = multiprocessing.get_context('spawn').Lock()\n"
         "tell('sem.' + lock._semlock.name.lstrip('/'))\n"
         "ready()\n",
         kByName, kOfSomeProgram},
        {"Python: an arena of multiprocessing",
         "become(); file('pym-%d-a1b2c3d4' % os.getpid()); ready()", kByName, kAlmost},
        {"joblib: a folder of arrays",
         "become()\n"
         "folder = 'joblib_memmapping_folder_%d_%s_1' % (os.getpid(), random_name())\n"
         "os.mkdir(SHM + folder, 0o700); file(folder + '/array.pkl'); ready()\n",
         kByName, kAlmost},
        {"joblib: a lock of loky", "become(); file('sem.loky-%d-a1b2c3d4' % os.getpid()); ready()",
         kByName, kAlmost},
        {"PyTorch: a tensor", "become(); file('torch_%d_1234_0' % os.getpid()); ready()", kByName,
         kAlmost},
        {"NCCL: a ring",
         "loads('libnccl.so.2'); become(); file('nccl-1' + random_name()[:5]); ready()", kByName,
         kOfSomeProgram},
        {"CUDA: memory for other processes",
         "loads('libcuda.so.1'); become(); file('cuda.shm.%x.%x.1' % (USER, os.getpid())); ready()",
         kByName, kOfSomeProgram},
        {"System V: private, of one program", "become(); n = system_v(); attach(n); ready()",
         kCertainly, kAlmost},
        {"System V: private, of a pool", "become(); n = system_v(); away(use, n); ready()", kAlmost,
         kNotToBeTold},
        {"System V: with a key",
         "become(); n = system_v(0x5e000000 + os.getpid()); attach(n); ready()", kAlmost, kAlmost},
        {"OpenMP of clang", "openmp(); ready()", kByName, kAlmost},
        {"Firefox: a page", "become(); file('org.mozilla.ipc.%d.4' % os.getpid()); ready()",
         kByName, kAlmost},
        {"Chromium: a page",
         "runs_as('chromium'); become(); file('.org.chromium.Chromium.a%05d' % USER); ready()",
         kByName, kAlmost},
        {"PostgreSQL: a server", "postgresql(); ready()", kAlmost, kAlmost},
        {"Chromium: a browser", "chromium(); ready()", kByName, kAlmost},
        {"PulseAudio: a stream",
         "loads('libpulsecommon-16.so'); become(); file('pulse-shm-%d' % (1234500000 + USER)); "
         "ready()",
         kByName, kAlmost},
        {"Open MPI 4: a rank",
         "loads('libmpi.so.40'); become(); file('vader_segment.host.%d.1f2e0001.0' % USER); "
         "ready()",
         kByName, kAlmost},
        {"Open MPI 5: a rank",
         "loads('libmpi.so.40'); become(); file('sm_segment.host.%d.1f2e0001.0' % USER); ready()",
         kByName, kAlmost},
        {"Intel MPI", "loads('libmpi.so.40'); become(); file('Intel_MPI_%06d' % USER); ready()",
         kByName, kAlmost},
        {"MPICH", "loads('libmpi.so.40'); become(); file('mpich_shar_tmp%06d' % USER); ready()",
         kByName, kAlmost},
        {"UCX",
         "loads('libuct.so.0'); become(); file('ucx_shm_posix_%x' % (0x7f000000 + USER)); ready()",
         kByName, kAlmost},
        {"Omni-Path PSM2",
         "loads('libpsm2.so.2'); become(); file('psm2_shm.%d00000000000a02020' % USER); ready()",
         kByName, kAlmost},
        {"Triton: a model in Python",
         "runs_as('tritonserver'); become(); "
         "file('triton_python_backend_shm_region_635362a4-fff5-4a25-b34e-%012x' % USER)\n"
         "ready()\n",
         kByName, kAlmost},
        {"WebKit: a page",
         "loads('libwebkit2gtk.so'); become(); file('WK2SharedMemory.%d' % (3000000000 + USER)); "
         "ready()",
         kByName, kAlmost},
        {"GStreamer: a pipe", "become(); file('shmpipe.%5d.%5d' % (os.getpid(), 0)); ready()",
         kByName, kAlmost},
        {"Squid: its cache",
         "runs_as('squid'); become(); file('squid-cache_%d.shm' % USER); ready()", kAlmost,
         kAlmost},
        {"Fast DDS: a port",
         "loads('libfastdds.so'); become(); file('fastrtps_port%d' % (7411 + USER)); ready()",
         kAlmost, kAlmost},
        {"iceoryx: its management",
         "loads('libiceoryx_posh.so'); become(); file('iox1_0_i_%d' % USER); ready()", kAlmost,
         kAlmost},
        {"JACK: a server", "loads('libjack.so.0'); become(); file('jack-%d-0' % USER); ready()",
         kAlmost, kAlmost},
        {"Steam", "loads('libsteam_api.so'); become(); file('u%d-Shm_5c31a2f4' % USER); ready()",
         kAlmost, kAlmost},
        {"Wine: fsync",
         "loads('ntdll.so'); become(); file('wine-%x-fsync' % (0x2a0000 + USER)); ready()", kAlmost,
         kAlmost},
        // Names of programs that nobody can know.
        {"Boost.Interprocess",
         "become(); name = 'boost_interprocess_%d' % USER; os.mkdir(SHM + name)\n"
         "file(name + '/queue'); ready()\n",
         kNotToBeTold, kNotToBeTold},
        {"a semaphore", "become(); file('sem.application_%d' % USER); ready()", kNotToBeTold,
         kNotToBeTold},
        {"a name of nobody knows whom", "become(); file('results_%d' % USER); ready()",
         kNotToBeTold, kNotToBeTold},
        {"a file without a name",
         "become(); file('gone_%d' % USER); f = open_it('gone_%d' % USER)\n"
         "os.unlink(SHM + 'gone_%d' % USER); ready()\n",
         {"gone"},
         {"gone"}},
    };
}

}  // namespace snakepit::shm::test
