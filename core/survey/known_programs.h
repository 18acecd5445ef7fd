// SPDX-License-Identifier: MIT
// Identifies programs by the names of segments and by what processes run.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "survey/host_survey.h"

namespace snakepit::shm::survey {

// The lifetime of a program's segments.
enum class Habit : std::uint8_t {
    its_creator,   // useless without the process that created them
    its_programs,  // useless when no process of the program and user is running
    // The same, but names are reused: a starting program may expect the contents.
    its_programs_again,
    // As its_programs_again, but a starting program is known to discard what it finds.
    its_programs_anew,
    python,  // as its_programs; the creator has a resource tracker
    stays,   // kept between runs on purpose
    unknown,
};

// Programs that are recognised by a process's executable or a library it maps. One bit each,
// because a process can match several.
enum class Software : std::uint8_t {
    python,
    python_tracker,  // a resource tracker of Python's multiprocessing
    pytorch,
    postgresql,
    chromium,
    firefox,
    xorg,
    pulseaudio,
    pipewire,
    jack,
    iceoryx,
    vineyard,
    oracle,
    db2,
    zabbix,
    openmp,
    fast_dds,
    mpi,
    ucx,
    psm2,
    nccl,
    cuda,
    steam,
    wine,
    triton,
    squid,
    gstreamer,
    webkit,
    zoneminder,
    podman,
    snakepit,
    system_service,  // see is_system_service()
};
using SoftwareSet = std::uint64_t;
constexpr SoftwareSet set_of(Software software) {
    return SoftwareSet{1} << static_cast<unsigned>(software);
}

// The numbers in a name that may be pids.
std::vector<std::int64_t> numbers_in(std::string_view name);

// By the name of the file alone ("python3.11", "libtorch_cpu.so"), not its directory.
SoftwareSet software_of_executable(std::string_view file_name);
SoftwareSet software_of_library(std::string_view file_name);

// Whether `path` is the executable of a service that belongs to the operating system and shares no
// memory by the ids of System V segments. Incomplete: of others that is not known.
bool is_system_service(std::string_view path);

struct KnownProgram {
    std::string_view program;
    SegmentKind kind;
    // '*': anything, '#': one or more digits, '&': hexadecimal ones, '%': the creator's pid, '?':
    // one hexadecimal digit, '$': one letter, digit or underscore, '~': the same without the
    // underscore, '@': a random number of 32 bits. All of the label, of a memfd what follows
    // "memfd:". A name that a program uses for one run only is described completely, because people
    // choose names with the same beginnings; a random part of '?' or '~' that could be a word does
    // not match.
    std::string_view pattern;
    Habit habit = Habit::unknown;
    SoftwareSet software = 0;  // whose processes may use it again; 0: unknown
    std::string_view source;   // where the name is documented or generated
};

// The temporary name during our own removal; a remaining one is from a removal that was killed.
inline constexpr std::string_view kAside = ".snakepit_removing_";

struct Recognised {
    const KnownProgram* known = nullptr;  // static; null: unknown name
    std::int64_t creator = 0;             // pid in the name, 0 if none
};

Recognised recognise(SegmentKind kind, std::string_view label);

// The display name of a process that runs any of these; empty for none.
std::string_view program_of(SoftwareSet software);

// Whether all of `text` matches `pattern`; `creator` gets the value of '%'.
bool matches(std::string_view pattern, std::string_view text, std::int64_t& creator);

}  // namespace snakepit::shm::survey
