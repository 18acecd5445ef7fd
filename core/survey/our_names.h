// SPDX-License-Identifier: MIT
// Which of our instances a segment's name belongs to.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace snakepit::shm::survey {

// What a segment or a mark of ours is called after.
struct OurName {
    std::string instance;
    std::string tag;  // of its registry, 8 digits; empty: of an earlier release's mark
};
std::optional<OurName> our_name(std::string_view name);

struct Registry {
    enum class State : std::uint8_t { gone, stands, managed, not_seen } state = State::gone;
    std::string path;  // empty: not told
};

// What to say of a segment of such a name that belongs to the user `owner`. `registry`: null where
// no manager left a mark.
std::vector<std::string> told_of(const OurName& own, const Registry* registry,
                                 const std::string& owner);

// Of instances of ours, by name, and by name and tag ("name@12345678").
using Instances = std::map<std::string, Registry, std::less<>>;

}  // namespace snakepit::shm::survey
