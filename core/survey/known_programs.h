// SPDX-License-Identifier: MIT
// Which program a segment's name, or the processes that use it, tell of.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "survey/host_survey.h"

namespace snakepit::shm::survey {

// What becomes of a program's segments.
enum class Habit : std::uint8_t {
    its_creator,   // are of no use without the process that made them
    its_programs,  // of no use when no process of the program and user is left
    // The same, but the names are made again: a program that starts may expect what is there.
    its_programs_again,
    python,  // as its_programs; who made one has a resource tracker beside it
    stays,   // stand between runs on purpose
    unknown,
};

// Programs that can be told by what a process runs: its executable, or a library it maps. One bit
// each, so that a process may be several.
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
};
using SoftwareSet = std::uint64_t;
constexpr SoftwareSet set_of(Software software) {
    return SoftwareSet{1} << static_cast<unsigned>(software);
}

// The numbers in a name that may be a process's.
std::vector<std::int64_t> numbers_in(std::string_view name);

// By the name of the file alone ("python3.11", "libtorch_cpu.so"), not its directory.
SoftwareSet software_of_executable(std::string_view file_name);
SoftwareSet software_of_library(std::string_view file_name);

struct KnownProgram {
    std::string_view program;
    SegmentKind kind;
    // '*': anything, '#': one or more digits, '&': hexadecimal ones, '%': digits that are the
    // maker's pid, '?': one hexadecimal digit, '$': one letter, digit or underscore. All of the
    // label, of a memfd what follows "memfd:". Random parts are given with their length, because
    // people choose names that begin alike.
    std::string_view pattern;
    Habit habit = Habit::unknown;
    SoftwareSet software = 0;  // whose processes may come back to it; 0: cannot be told
    std::string_view source;   // where the name is documented, or made
};

// What our own removal gives a name for a moment; one that stays is of a removal that was killed.
inline constexpr std::string_view kAside = ".snakepit_removing_";

struct Recognised {
    const KnownProgram* known = nullptr;  // of static duration; null: no known name
    std::int64_t creator = 0;             // pid in the name, 0 if none
};

Recognised recognise(SegmentKind kind, std::string_view label);

// What a process that runs any of these is called in a sentence; empty for none.
std::string_view program_of(SoftwareSet software);

// Whether the whole of `text` is as `pattern` says; `creator` gets what '%' stood for.
bool matches(std::string_view pattern, std::string_view text, std::int64_t& creator);

}  // namespace snakepit::shm::survey
