// SPDX-License-Identifier: MIT
#include "survey/known_programs.h"

#include <charconv>
#include <iterator>

namespace snakepit::shm::survey {

namespace {

constexpr auto kPosix = SegmentKind::posix;
constexpr auto kMemfd = SegmentKind::memfd;

// The first that matches counts.
constexpr KnownProgram kKnown[] = {
    {"PostgreSQL", kPosix, "PostgreSQL.#", Habit::its_programs, "postgres",
     "postgresql: src/include/storage/dsm_impl.h, PG_DYNSHMEM_MMAP_FILE_PREFIX; "
     "\"/PostgreSQL.%u\""},
    {"Chromium", kPosix, ".org.chromium.Chromium.*", Habit::its_programs, "chrom",
     "chromium: base/files/file_util_posix.cc, temporary file names; unlinked when made"},
    {"Chrome", kPosix, ".com.google.Chrome.*", Habit::its_programs, "chrome",
     "chromium: base/files/file_util_posix.cc, with Google's branding"},
    {"Python multiprocessing", kPosix, "psm_&", Habit::python, "python",
     "cpython: Lib/multiprocessing/shared_memory.py, _SHM_NAME_PREFIX"},
    {"Python multiprocessing", kPosix, "wnsm_&", Habit::python, "python",
     "cpython: Lib/multiprocessing/shared_memory.py, _SHM_NAME_PREFIX of Windows"},
    {"Python multiprocessing", kPosix, "sem.mp-*", Habit::python, "python",
     "cpython: Lib/multiprocessing/synchronize.py, SemLock._make_name"},
    {"Python multiprocessing", kPosix, "pym-%-*", Habit::its_creator, "python",
     "cpython: Lib/multiprocessing/heap.py, Arena: \"pym-%d-\" % os.getpid()"},
    {"Python multiprocessing", kPosix, "mp-*", Habit::unknown, "",
     "cpython: Lib/multiprocessing/process.py, semprefix"},
    {"joblib", kPosix, "joblib_memmapping_folder_%_*", Habit::its_creator, "python",
     "joblib: _memmapping_reducer.py, get_temp_dir"},
    {"PyTorch", kPosix, "torch_%_*", Habit::its_creator, "",
     "pytorch: torch/csrc/DynamicTypes/NewProcessWideShmHandle: \"/torch_<pid>_<random>_<n>\""},
    {"PulseAudio", kPosix, "pulse-shm-#", Habit::its_programs, "pulse",
     "pulseaudio: src/pulsecore/shm.c, segment_name: \"/pulse-shm-%u\""},
    {"NCCL", kPosix, "nccl-*", Habit::unknown, "",
     "nccl: src/misc/shmutils.cc: \"/dev/shm/nccl-XXXXXX\""},
    {"Open MPI", kPosix, "vader_segment.*", Habit::unknown, "",
     "ompi 4: opal/mca/btl/vader/btl_vader_component.c"},
    {"Open MPI", kPosix, "sm_segment.*", Habit::unknown, "",
     "ompi 5: opal/mca/btl/sm/btl_sm_component.c"},
    {"Open MPI", kPosix, "ompi.*", Habit::unknown, "", "ompi: session directories"},
    {"Open MPI", kPosix, "osc_rdma.*", Habit::unknown, "", "ompi: ompi/mca/osc/rdma"},
    {"Firefox", kPosix, "org.mozilla.ipc.%.#", Habit::its_creator, "firefox",
     "mozilla: ipc/glue/SharedMemoryPlatform_posix.cpp: \"/org.mozilla.ipc.%d.\""},
    {"Qt", kPosix, "qipc_sharedmemory_*", Habit::unknown, "",
     "qtbase: QSharedMemory with POSIX keys, qtipccommon.cpp"},
    {"Qt", kPosix, "sem.qipc_systemsem_*", Habit::unknown, "",
     "qtbase: QSystemSemaphore with POSIX keys, qtipccommon.cpp"},
    {"Qt", SegmentKind::system_v, "qipc_sharedmemory_*", Habit::unknown, "",
     "qtbase: qsharedmemory_systemv.cpp, ftok() of a file of that name"},
    {"JACK", kPosix, "jack_default_*", Habit::its_programs, "jack", "jack2: common/shm.c"},
    {"JACK", kPosix, "jack-shm-registry", Habit::stays, "jack", "jack2: common/shm.c"},
    {"JACK", kPosix, "jack-*", Habit::its_programs, "jack", "jack2: common/shm.c"},
    {"JACK", kPosix, "sem.jack_sem.*", Habit::its_programs, "jack",
     "jack2: posix/JackPosixSemaphore.cpp"},
    {"iceoryx2", kPosix, "iox2_*", Habit::unknown, "",
     "iceoryx2: config/iceoryx2.toml, global.prefix"},
    {"iceoryx", kPosix, "iox1_*", Habit::its_programs, "iox-roudi",
     "iceoryx: iceoryx_posh, resource prefix"},
    {"iceoryx", kPosix, "iceoryx_mgmt", Habit::its_programs, "iox-roudi",
     "iceoryx: iceoryx_posh/iceoryx_posh_types.hpp, SHM_NAME"},
    {"Plasma (Ray, Arrow)", kPosix, "plasma*", Habit::unknown, "",
     "ray: src/ray/object_manager/plasma/plasma_allocator.cc: \"plasmaXXXXXX\""},
    {"vineyard", kPosix, "vineyard-*", Habit::its_programs, "vineyardd",
     "v6d: src/common/memory, \"vineyard-bulk-XXXXXX\""},
    {"Boost.Interprocess", kPosix, "boost_interprocess*", Habit::unknown, "",
     "boost: interprocess/detail/shared_dir_helpers.hpp"},
    {"wlroots", kPosix, "wlroots-*", Habit::unknown, "", "wlroots: util/shm.c"},
    {"POSIX semaphore", kPosix, "sem.*", Habit::unknown, "",
     "sem_overview(7): named semaphores stand in /dev/shm as sem.<name>"},
    {"PipeWire", kMemfd, "pipewire-memfd*", Habit::unknown, "",
     "pipewire: src/pipewire/mem.c: \"pipewire-memfd:flags=0x%08x,type=%u,size=%zu\""},
    {"PulseAudio", kMemfd, "pulseaudio*", Habit::unknown, "",
     "pulseaudio: src/pulsecore/shm.c: memfd_create(\"pulseaudio\")"},
    {"Firefox", kMemfd, "mozilla-ipc", Habit::unknown, "",
     "mozilla: ipc/glue/SharedMemoryPlatform_posix.cpp"},
    {"X11", kMemfd, "xshmfence", Habit::unknown, "", "libxshmfence: src/xshmfence_alloc.c"},
    {"X11", kMemfd, "xorg*", Habit::unknown, "", "xserver: os, memfd of the server"},
    {"Wayland", kMemfd, "*wayland*", Habit::unknown, "",
     "toolkits: gdk-wayland, qt \"wayland-shm\", SDL"},
    {"Wayland", kMemfd, "weston-*", Habit::unknown, "", "weston: shared/os-compatibility.c"},
    {"Mesa", kMemfd, "*mesa*", Habit::unknown, "", "mesa: src/util/anon_file.c"},
    {"Chromium", kMemfd, "*chromium*", Habit::unknown, "", "chromium: memfd names of its parts"},
    {"vineyard", kMemfd, "vineyard-*", Habit::unknown, "", "v6d: src/common/memory"},
    {"Snakepit SHM", kMemfd, "snakepit_*", Habit::unknown, "",
     "core/platform/backend.h: segments without a name"},
};

struct ProcessProgram {
    std::string_view process, program;  // beginning of a process's name
};
constexpr ProcessProgram kByProcess[] = {
    {"postgres", "PostgreSQL"},  {"chrom", "Chromium"},
    {"firefox", "Firefox"},      {"Xorg", "X11"},
    {"Xwayland", "X11"},         {"pulseaudio", "PulseAudio"},
    {"pipewire", "PipeWire"},    {"wireplumber", "PipeWire"},
    {"jackd", "JACK"},           {"iox-roudi", "iceoryx"},
    {"ora_", "Oracle Database"}, {"db2sysc", "Db2"},
    {"zabbix", "Zabbix"},        {"snakepit-shm", "Snakepit SHM"},
};

bool digit(char c) {
    return c >= '0' && c <= '9';
}

bool hex_letter(char c) {
    return c >= 'a' && c <= 'f';
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text, std::int64_t& creator) {
    while (!pattern.empty() && pattern.front() != '*') {
        if (text.empty()) return false;
        const bool pid = pattern.front() == '%', hex = pattern.front() == '&';
        if (pid || hex || pattern.front() == '#') {
            std::size_t count = 0;
            while (count < text.size() && (digit(text[count]) || (hex && hex_letter(text[count]))))
                ++count;
            if (count == 0) return false;
            if (pid) std::from_chars(text.data(), text.data() + count, creator);
            text.remove_prefix(count);
        } else {
            if (text.front() != pattern.front()) return false;
            text.remove_prefix(1);
        }
        pattern.remove_prefix(1);
    }
    if (pattern.empty()) return text.empty();
    pattern.remove_prefix(1);
    if (pattern.empty()) return true;
    for (; !text.empty(); text.remove_prefix(1))
        if (matches(pattern, text, creator)) return true;
    return false;
}

Recognised recognise(SegmentKind kind, std::string_view label) {
    constexpr std::string_view kMemfdLabel = "memfd:";
    if (kind == SegmentKind::memfd && label.starts_with(kMemfdLabel))
        label.remove_prefix(kMemfdLabel.size());
    for (const auto& known : kKnown) {
        std::int64_t creator = 0;
        if (known.kind == kind && matches(known.pattern, label, creator)) return {&known, creator};
    }
    return {};
}

std::string_view program_of_process(std::string_view process) {
    for (const auto& [name, program] : kByProcess)
        if (process.starts_with(name)) return program;
    return {};
}

}  // namespace snakepit::shm::survey
