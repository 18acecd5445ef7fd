// SPDX-License-Identifier: MIT
#include "survey/known_programs.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace snakepit::shm::survey {

namespace {

constexpr auto kPosix = SegmentKind::posix;
constexpr auto kMemfd = SegmentKind::memfd;

// The first match applies.
constexpr KnownProgram kKnown[] = {
    {"PostgreSQL", kPosix, "PostgreSQL.@", Habit::its_programs, set_of(Software::postgresql),
     "postgresql: src/include/storage/dsm_impl.h, PG_DYNSHMEM_MMAP_FILE_PREFIX; "
     "\"/PostgreSQL.%u\""},
    {"Chromium", kPosix, ".org.chromium.Chromium.~~~~~~", Habit::its_programs,
     set_of(Software::chromium),
     "chromium: base/files/file_util_posix.cc, temporary file names; unlinked when made"},
    {"Chrome", kPosix, ".com.google.Chrome.~~~~~~", Habit::its_programs, set_of(Software::chromium),
     "chromium: base/files/file_util_posix.cc, with Google's branding"},
    {"Python multiprocessing", kPosix, "psm_????????", Habit::python, set_of(Software::python),
     "cpython: Lib/multiprocessing/shared_memory.py, _SHM_NAME_PREFIX"},
    {"Python multiprocessing", kPosix, "wnsm_????????", Habit::python, set_of(Software::python),
     "cpython: Lib/multiprocessing/shared_memory.py, _SHM_NAME_PREFIX of Windows"},
    {"Python multiprocessing", kPosix, "sem.mp-$$$$$$$$", Habit::python, set_of(Software::python),
     "cpython: Lib/multiprocessing/synchronize.py, SemLock._make_name"},
    {"Python multiprocessing", kPosix, "pym-%-$$$$$$$$", Habit::its_creator,
     set_of(Software::python),
     "cpython: Lib/multiprocessing/heap.py, Arena: \"pym-%d-\" % os.getpid()"},
    {"Python multiprocessing", kPosix, "mp-*", Habit::unknown, 0,
     "cpython: Lib/multiprocessing/process.py, semprefix"},
    {"joblib", kPosix, "joblib_memmapping_folder_%_&_&*", Habit::its_creator,
     set_of(Software::python), "joblib: _memmapping_reducer.py, get_temp_dir"},
    {"joblib", kPosix, "sem.loky-%-$$$$$$$$", Habit::its_creator, set_of(Software::python),
     "loky: loky/backend/synchronize.py, SemLock._make_name: \"/loky-<pid>-<random>\""},
    {"PyTorch", kPosix, "torch_%_#_#", Habit::its_creator, set_of(Software::pytorch),
     "pytorch: torch/csrc/DynamicTypes/NewProcessWideShmHandle: \"/torch_<pid>_<random>_<n>\""},
    {"PulseAudio", kPosix, "pulse-shm-@", Habit::its_programs, set_of(Software::pulseaudio),
     "pulseaudio: src/pulsecore/shm.c, segment_name: \"/pulse-shm-%u\""},
    {"OpenMP (LLVM)", kPosix, "__KMP_REGISTERED_LIB_%_#", Habit::its_creator,
     set_of(Software::openmp),
     "llvm: openmp/runtime/src/kmp_runtime.cpp, __kmp_register_library_startup"},
    {"Podman", kPosix, "libpod_lock", Habit::stays, set_of(Software::podman),
     "podman: libpod/runtime.go, DefaultSHMLockPath: containers' locks stand while they exist"},
    {"Podman", kPosix, "libpod_rootless_lock_#", Habit::stays, set_of(Software::podman),
     "podman: libpod/runtime.go, DefaultRootlessSHMLockPath"},
    {"Podman", kPosix, "libpod_lock*", Habit::stays, set_of(Software::podman),
     "podman: libpod/runtime.go"},
    {"Podman", kPosix, "libpod_rootless_lock*", Habit::stays, set_of(Software::podman),
     "podman: libpod/runtime.go"},
    {"Fast DDS", kPosix, "fastrtps_*", Habit::its_programs_again, set_of(Software::fast_dds),
     "fast-dds: src/cpp/rtps/transport/shared_mem, domain name \"fastrtps\""},
    {"Fast DDS", kPosix, "fastdds_*", Habit::its_programs_again, set_of(Software::fast_dds),
     "fast-dds 3: src/cpp/rtps/transport/shared_mem"},
    {"Fast DDS", kPosix, "sem.fastrtps_*", Habit::its_programs_again, set_of(Software::fast_dds),
     "fast-dds: src/cpp/utils/shared_memory, robust interprocess conditions"},
    {"Fast DDS", kPosix, "sem.fastdds_*", Habit::its_programs_again, set_of(Software::fast_dds),
     "fast-dds 3: src/cpp/utils/shared_memory"},
    {"Fast DDS", kPosix, "fast_datasharing_*", Habit::its_programs_again,
     set_of(Software::fast_dds), "fast-dds: src/cpp/rtps/DataSharing/DataSharingPayloadPool.hpp"},
    {"Oracle Database", kPosix, "ora_*", Habit::its_programs_again, set_of(Software::oracle),
     "Oracle Database: MEMORY_TARGET's granules, ora_<sid>_<shmid>_<number>"},
    {"CUDA", kPosix, "cuda.shm.&.&.&", Habit::its_programs, set_of(Software::cuda),
     "libcuda: \"cuda.shm.<user>.<pid>.<number>\", in hexadecimal; what PyTorch's CUDA IPC makes"},
    {"NCCL", kPosix, "nccl-~~~~~~", Habit::its_programs,
     set_of(Software::nccl) | set_of(Software::pytorch),
     "nccl: src/misc/shmutils.cc: \"/dev/shm/nccl-XXXXXX\""},
    {"Open MPI", kPosix, "vader_segment.*.#.&.#", Habit::its_programs, set_of(Software::mpi),
     "ompi 4: opal/mca/btl/vader/btl_vader_component.c: \"vader_segment.%s.%u.%x.%d\", with host, "
     "user, job and rank"},
    {"Open MPI", kPosix, "sm_segment.*.#.&.#", Habit::its_programs, set_of(Software::mpi),
     "ompi 5: opal/mca/btl/sm/btl_sm_component.c: \"sm_segment.%s.%u.%x.%d\", with host, user, "
     "job and rank"},
    {"Open MPI", kPosix, "ompi.*", Habit::unknown, 0, "ompi: session directories"},
    {"Open MPI", kPosix, "osc_rdma.*", Habit::unknown, 0, "ompi: ompi/mca/osc/rdma"},
    {"Intel MPI", kPosix, "Intel_MPI_~~~~~~", Habit::its_programs, set_of(Software::mpi),
     "Intel MPI Library: as MPICH, with a name of its own"},
    {"MPICH", kPosix, "mpich_shar_tmp~~~~~~", Habit::its_programs, set_of(Software::mpi),
     "mpich: MPIU_SHMW_Seg_create_attach_templ: \"/dev/shm/mpich_shar_tmpXXXXXX\""},
    {"UCX", kPosix, "ucx_shm_posix_????&", Habit::its_programs, set_of(Software::ucx),
     "ucx: src/uct/sm/mm/posix/mm_posix.c, UCT_POSIX_FILE_FMT"},
    {"Omni-Path PSM2", kPosix, "psm2_shm.?????????????????&", Habit::its_programs,
     set_of(Software::psm2),
     "opa-psm2: ptl_am/am_reqrep_shmem.c: \"/psm2_shm.%ld%016lx%d\", with user, endpoint and "
     "number"},
    {"Aeron", kPosix, "aeron-*", Habit::unknown, 0,
     "aeron: driver Context, AERON_DIR_PROP_DEFAULT: \"/dev/shm/aeron-<user>\""},
    {"LTTng", kPosix, "lttng-ust-wait-*", Habit::stays, 0,
     "lttng-ust: LTTNG_UST_WAIT_FILENAME; traced programs wait on it in any run"},
    {"Steam", kPosix, "u#-Shm_&", Habit::its_programs_again, set_of(Software::steam),
     "Steam client: names as in apparmor rules of distributions"},
    {"Steam", kPosix, "u#-ValveIPCSharedObj*", Habit::its_programs_again, set_of(Software::steam),
     "Steam client: names as in apparmor rules of distributions"},
    {"Wine", kPosix, "wine-&-fsync", Habit::its_programs_anew, set_of(Software::wine),
     "Proton: server/fsync.c, fsync_init: the directory's inode, so the same in each run; a server "
     "unlinks it first"},
    {"Wine", kPosix, "wine-&-esync", Habit::its_programs_anew, set_of(Software::wine),
     "Wine: server/esync.c, esync_init: the directory's inode, so the same in each run; a server "
     "unlinks it first"},
    {"Triton", kPosix, "triton_python_backend_shm_region_&-&-&-&-&", Habit::its_programs,
     set_of(Software::triton), "triton python_backend: shared_memory_region_prefix, and a UUID"},
    {"Triton", kPosix, "triton_python_backend_shm_region_#", Habit::its_programs_again,
     set_of(Software::triton),
     "triton python_backend: shared_memory_region_prefix, older releases"},
    {"Squid", kPosix, "squid-*", Habit::its_programs_anew, set_of(Software::squid),
     "squid: src/ipc/mem/Segment.cc: \"/squid-<name>.shm\", the same in each run; create() unlinks "
     "it first"},
    {"GStreamer", kPosix, "shmpipe.%.    #", Habit::its_creator, set_of(Software::gstreamer),
     "gst-plugins-bad: sys/shm/shmpipe.c: \"/shmpipe.%5d.%5d\""},
    {"GStreamer", kPosix, "shmpipe. %.    #", Habit::its_creator, set_of(Software::gstreamer),
     "gst-plugins-bad: the same, of a number with four digits"},
    {"GStreamer", kPosix, "shmpipe.  %.    #", Habit::its_creator, set_of(Software::gstreamer),
     "gst-plugins-bad: the same, of a number with three digits"},
    {"WebKit", kPosix, "WK2SharedMemory.@", Habit::its_programs, set_of(Software::webkit),
     "WebKit: Platform/unix/SharedMemoryUnix.cpp: \"/WK2SharedMemory.<random>\""},
    {"ZoneMinder", kPosix, "zm.mmap.#", Habit::its_programs_again, set_of(Software::zoneminder),
     "zoneminder: src/zm_monitor.cpp: a monitor's number, so the same in each run"},
    {"Looking Glass", kPosix, "looking-glass*", Habit::stays, 0,
     "Looking Glass: made by systemd-tmpfiles for virtual machines"},
    {"389 Directory Server", kPosix, "sem.slapd-*", Habit::its_programs_again, 0,
     "389-ds-base: statistics of a server, named after it"},
    {"Firefox", kPosix, "org.mozilla.ipc.%.#", Habit::its_creator, set_of(Software::firefox),
     "mozilla: ipc/glue/SharedMemoryPlatform_posix.cpp: \"/org.mozilla.ipc.%d.\""},
    {"Qt", kPosix, "qipc_sharedmemory_*", Habit::unknown, 0,
     "qtbase: QSharedMemory with POSIX keys, qtipccommon.cpp"},
    {"Qt", kPosix, "sem.qipc_systemsem_*", Habit::unknown, 0,
     "qtbase: QSystemSemaphore with POSIX keys, qtipccommon.cpp"},
    {"Qt", SegmentKind::system_v, "qipc_sharedmemory_*", Habit::unknown, 0,
     "qtbase: qsharedmemory_systemv.cpp, ftok() of a file of that name"},
    {"JACK", kPosix, "jack_default_*", Habit::its_programs_anew, set_of(Software::jack),
     "jack2: common/shm.c; jack_cleanup_shm() of a starting server"},
    {"JACK", kPosix, "jack-shm-registry", Habit::stays, set_of(Software::jack),
     "jack2: common/shm.c"},
    {"JACK", kPosix, "jack-*", Habit::its_programs_anew, set_of(Software::jack),
     "jack2: common/shm.c; jack_cleanup_shm() of a starting server"},
    {"JACK", kPosix, "sem.jack_sem.*", Habit::its_programs_again, set_of(Software::jack),
     "jack2: posix/JackPosixSemaphore.cpp"},
    {"iceoryx2", kPosix, "iox2_*", Habit::unknown, 0,
     "iceoryx2: config/iceoryx2.toml, global.prefix"},
    {"iceoryx", kPosix, "iox1_*", Habit::its_programs_anew, set_of(Software::iceoryx),
     "iceoryx: iceoryx_posh, resource prefix; PURGE_AND_CREATE"},
    {"iceoryx", kPosix, "iceoryx_mgmt", Habit::its_programs_anew, set_of(Software::iceoryx),
     "iceoryx: iceoryx_posh/iceoryx_posh_types.hpp, SHM_NAME; PURGE_AND_CREATE"},
    {"Plasma (Ray, Arrow)", kPosix, "plasma*", Habit::unknown, 0,
     "ray: src/ray/object_manager/plasma/plasma_allocator.cc: \"plasmaXXXXXX\""},
    {"vineyard", kPosix, "vineyard-bulk-~~~~~~", Habit::its_programs, set_of(Software::vineyard),
     "v6d: src/common/memory, \"vineyard-bulk-XXXXXX\""},
    {"Boost.Interprocess", kPosix, "boost_interprocess*", Habit::unknown, 0,
     "boost: interprocess/detail/shared_dir_helpers.hpp"},
    {"wlroots", kPosix, "wlroots-*", Habit::unknown, 0, "wlroots: util/shm.c"},
    {"Snakepit SHM", kPosix, ".snakepit_removing_&", Habit::its_programs,
     set_of(Software::snakepit), "core/survey/known_programs.h, kAside"},
    {"POSIX semaphore", kPosix, "sem.*", Habit::unknown, 0,
     "sem_overview(7): named semaphores stand in /dev/shm as sem.<name>"},
    {"PipeWire", kMemfd, "pipewire-memfd*", Habit::unknown, 0,
     "pipewire: src/pipewire/mem.c: \"pipewire-memfd:flags=0x%08x,type=%u,size=%zu\""},
    {"PulseAudio", kMemfd, "pulseaudio*", Habit::unknown, 0,
     "pulseaudio: src/pulsecore/shm.c: memfd_create(\"pulseaudio\")"},
    {"Firefox", kMemfd, "mozilla-ipc", Habit::unknown, 0,
     "mozilla: ipc/glue/SharedMemoryPlatform_posix.cpp"},
    {"X11", kMemfd, "xshmfence", Habit::unknown, 0, "libxshmfence: src/xshmfence_alloc.c"},
    {"X11", kMemfd, "xorg*", Habit::unknown, 0, "xserver: os, memfd of the server"},
    {"Wayland", kMemfd, "*wayland*", Habit::unknown, 0,
     "toolkits: gdk-wayland, qt \"wayland-shm\", SDL"},
    {"Wayland", kMemfd, "weston-*", Habit::unknown, 0, "weston: shared/os-compatibility.c"},
    {"Mesa", kMemfd, "*mesa*", Habit::unknown, 0, "mesa: src/util/anon_file.c"},
    {"Chromium", kMemfd, "*chromium*", Habit::unknown, 0, "chromium: memfd names of its parts"},
    {"vineyard", kMemfd, "vineyard-*", Habit::unknown, 0, "v6d: src/common/memory"},
    {"Snakepit SHM", kMemfd, "snakepit_*", Habit::unknown, 0,
     "core/platform/backend.h: segments without a name"},
};

// How software is recognised: prefixes of the executable's name and of libraries.
struct Mark {
    Software software;
    std::string_view program, executable, library;  // empty: not recognisable
};
constexpr Mark kMarks[] = {
    {Software::pytorch, "PyTorch", "", "libtorch"},
    {Software::python, "Python", "python", "libpython"},
    {Software::python, "Python", "pypy", "libpypy"},
    {Software::postgresql, "PostgreSQL", "postgres", ""},
    {Software::postgresql, "PostgreSQL", "postmaster", ""},
    {Software::postgresql, "PostgreSQL", "edb-postgres", ""},
    {Software::chromium, "Chromium", "chrom", ""},
    {Software::firefox, "Firefox", "firefox", "libxul"},
    {Software::xorg, "X11", "Xorg", ""},
    {Software::xorg, "X11", "Xwayland", ""},
    {Software::pulseaudio, "PulseAudio", "pulseaudio", "libpulsecommon"},
    {Software::pipewire, "PipeWire", "pipewire", "libpipewire"},
    {Software::pipewire, "PipeWire", "wireplumber", ""},
    {Software::jack, "JACK", "jack", "libjack"},
    {Software::iceoryx, "iceoryx", "iox-roudi", "libiceoryx_"},
    {Software::vineyard, "vineyard", "vineyardd", "libvineyard"},
    {Software::oracle, "Oracle Database", "oracle", "libclntsh"},
    {Software::db2, "Db2", "db2sysc", ""},
    {Software::zabbix, "Zabbix", "zabbix", ""},
    {Software::openmp, "OpenMP (LLVM)", "", "libomp"},
    {Software::openmp, "OpenMP (LLVM)", "", "libiomp"},
    {Software::fast_dds, "Fast DDS", "", "libfastrtps"},
    {Software::fast_dds, "Fast DDS", "", "libfastdds"},
    {Software::mpi, "MPI", "", "libmpi"},
    {Software::mpi, "MPI", "mpirun", "libopen-pal"},
    {Software::mpi, "MPI", "mpiexec", "libopen-rte"},
    {Software::mpi, "MPI", "orte", ""},
    {Software::mpi, "MPI", "prte", ""},
    {Software::mpi, "MPI", "hydra_", ""},
    {Software::ucx, "UCX", "", "libuct"},
    {Software::ucx, "UCX", "", "libucp"},
    {Software::psm2, "Omni-Path PSM2", "", "libpsm2"},
    {Software::nccl, "NCCL", "", "libnccl"},
    {Software::cuda, "CUDA", "nvidia-cuda-mps", "libcuda"},
    {Software::steam, "Steam", "steam", "libsteam_api"},
    {Software::steam, "Steam", "vrserver", "steamclient"},
    {Software::wine, "Wine", "wine", "ntdll.so"},
    {Software::triton, "Triton", "triton", ""},
    {Software::squid, "Squid", "squid", ""},
    {Software::gstreamer, "GStreamer", "", "libgstreamer"},
    {Software::webkit, "WebKit", "WebKit", "libwebkit"},
    {Software::webkit, "WebKit", "WPE", "libWPEWebKit"},
    {Software::zoneminder, "ZoneMinder", "zm", ""},
    {Software::podman, "Podman", "podman", ""},
    {Software::podman, "Podman", "conmon", ""},
    {Software::snakepit, "Snakepit SHM", "snakepit-shm", "libsnakepit_shm"},
};

constexpr std::int64_t kLeastPid = 2;   // of numbers in names that are taken for a pid
constexpr std::size_t kLongestPid = 7;  // digits: pids are at most 2^22

SoftwareSet with_beginning(std::string_view name, std::string_view Mark::*beginning) {
    SoftwareSet out = 0;
    for (const auto& mark : kMarks)
        if (!(mark.*beginning).empty() && name.starts_with(mark.*beginning))
            out |= set_of(mark.software);
    return out;
}

bool digit(char c) {
    return c >= '0' && c <= '9';
}

bool hex_letter(char c) {
    return c >= 'a' && c <= 'f';
}

bool small(char c) {
    return c >= 'a' && c <= 'z';
}

bool capital(char c) {
    return c >= 'A' && c <= 'Z';
}

constexpr std::size_t kLeastRandom = 6;  // characters of a random part
constexpr std::string_view kOneCharacter = "?$~";

// People choose words ("nccl-attack", "psm_deadbeef"). A random part that reads like one is rare,
// except in names of Python, which have few digits and no capitals ('$').
bool looks_random(std::string_view text) {
    if (std::any_of(text.begin(), text.end(), digit)) return true;
    return std::any_of(text.begin(), text.end(), small) &&
           std::any_of(text.begin() + 1, text.end(), capital);
}

// A random number of 32 bits. A short one is rarely random: a date, a year, a version, a counter.
bool random_number(std::string_view digits) {
    constexpr std::size_t kDate = 8, kMost = 10;
    std::uint64_t number = 0;
    if (digits.size() < kDate || digits.size() > kMost || digits.front() == '0') return false;
    if (digits.size() == kDate && (digits.starts_with("19") || digits.starts_with("20")))
        return false;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number <= 0xFFFFFFFF;
}

// Whether a pattern's single-character placeholder matches this character.
bool stands_for(char sign, char c) {
    if (sign == '?') return digit(c) || hex_letter(c);
    if (sign != '$' && sign != '~') return sign == c;
    return digit(c) || small(c) || capital(c) || (c == '_' && sign == '$');
}

// Removes what a run of the same sign stands for from both; false if it does not match.
bool take_random_part(std::string_view& pattern, std::string_view& text) {
    const auto sign = pattern.front();
    const auto count = std::min(pattern.find_first_not_of(sign), pattern.size());
    if (text.size() < count) return false;
    const auto part = text.substr(0, count);
    const auto fits = [sign](char c) { return stands_for(sign, c); };
    if (!std::all_of(part.begin(), part.end(), fits)) return false;
    if (sign != '$' && count >= kLeastRandom && !looks_random(part)) return false;
    pattern.remove_prefix(count);
    text.remove_prefix(count);
    return true;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text, std::int64_t& creator) {
    while (!pattern.empty() && pattern.front() != '*') {
        if (text.empty()) return false;
        const bool pid = pattern.front() == '%', hex = pattern.front() == '&';
        const bool random = pattern.front() == '@';
        if (kOneCharacter.find(pattern.front()) != kOneCharacter.npos) {
            if (!take_random_part(pattern, text)) return false;
            continue;
        }
        if (pid || hex || random || pattern.front() == '#') {
            std::size_t count = 0;
            while (count < text.size() && (digit(text[count]) || (hex && hex_letter(text[count]))))
                ++count;
            if (count == 0 || (random && !random_number(text.substr(0, count)))) return false;
            if (pid) std::from_chars(text.data(), text.data() + count, creator);
            text.remove_prefix(count);
        } else {
            if (!stands_for(pattern.front(), text.front())) return false;
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

std::vector<std::int64_t> numbers_in(std::string_view name) {
    std::vector<std::int64_t> out;
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    while (true) {
        const auto begin = std::find_if(name.begin(), name.end(), digit);
        if (begin == name.end()) return out;
        const auto end = std::find_if_not(begin, name.end(), digit);
        std::int64_t number = 0;
        std::from_chars(&*begin, &*begin + (end - begin), number);
        if (static_cast<std::size_t>(end - begin) <= kLongestPid && number >= kLeastPid)
            out.push_back(number);
        name.remove_prefix(static_cast<std::size_t>(end - name.begin()));
    }
}

SoftwareSet software_of_executable(std::string_view file_name) {
    return with_beginning(file_name, &Mark::executable);
}

SoftwareSet software_of_library(std::string_view file_name) {
    return with_beginning(file_name, &Mark::library);
}

std::string_view program_of(SoftwareSet software) {
    for (const auto& mark : kMarks)
        if ((software & set_of(mark.software)) != 0) return mark.program;
    return {};
}

}  // namespace snakepit::shm::survey
