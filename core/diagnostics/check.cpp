// SPDX-License-Identifier: MIT
#include "diagnostics/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace snakepit::shm {

namespace {

constexpr std::size_t kNamed = 3;

}  // namespace

std::string_view to_string(CheckResult result) {
    switch (result) {
        case CheckResult::ok:
            return "ok";
        case CheckResult::not_running:
            return "not_running";
        case CheckResult::warning:
            return "warning";
        case CheckResult::problem:
            break;
    }
    return "problem";
}

Check sound(std::string name, std::string message) {
    return {std::move(name), CheckResult::ok, std::move(message), {}};
}

Check problem(std::string name, const Error& error) {
    return {std::move(name), CheckResult::problem, error.message, error.remedy};
}

Check warning(std::string name, const Error& error) {
    return {std::move(name), CheckResult::warning, error.message, error.remedy};
}

void Findings::add(std::string what) {
    if (++count_ <= kNamed) first_.push_back(std::move(what));
}

std::string Findings::text() const {
    auto out = fmt::format("{}", fmt::join(first_, "; "));
    if (count_ > first_.size()) out += fmt::format("; and {} more", count_ - first_.size());
    return out;
}

}  // namespace snakepit::shm
