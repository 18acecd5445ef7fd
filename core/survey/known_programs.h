// SPDX-License-Identifier: MIT
// Which program a segment's name, or the processes that use it, tell of.
#pragma once

#include <cstdint>
#include <string_view>

#include "survey/host_survey.h"

namespace snakepit::shm::survey {

// What becomes of a program's segments.
enum class Habit : std::uint8_t {
    its_creator,   // are of no use without the process that made them
    its_programs,  // of no use when no process of the program and user is left
    python,        // as its_programs; who made one has a resource tracker beside it
    stays,         // stand between runs on purpose
    unknown,
};

struct KnownProgram {
    std::string_view program;
    SegmentKind kind;
    // '*': anything, '#': one or more digits, '&': hexadecimal ones, '%': digits that are the
    // maker's pid. All of the label, of a memfd what follows "memfd:".
    std::string_view pattern;
    Habit habit = Habit::unknown;
    std::string_view process;  // the beginning of the name of the program's processes
    std::string_view source;   // where the name is documented, or made
};

struct Recognised {
    const KnownProgram* known = nullptr;  // of static duration; null: no known name
    std::int64_t creator = 0;             // pid in the name, 0 if none
};

Recognised recognise(SegmentKind kind, std::string_view label);

// By the name of a process that uses it; empty if that says nothing.
std::string_view program_of_process(std::string_view process);

// Whether the whole of `text` is as `pattern` says; `creator` gets what '%' stood for.
bool matches(std::string_view pattern, std::string_view text, std::int64_t& creator);

}  // namespace snakepit::shm::survey
