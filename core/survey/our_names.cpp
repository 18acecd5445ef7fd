// SPDX-License-Identifier: MIT
#include "survey/our_names.h"

#include <algorithm>

#include "base/ids.h"

namespace snakepit::shm::survey {

// snakepit_<instance>_shm_<number>_<16 digits>, snakepit_<instance>_arena_<16 digits>, or a mark,
// .snakepit_<instance>@…. An instance's name may contain any of these words, so it is read from the
// end.
std::optional<OurName> our_name(std::string_view name) {
    if (name.starts_with(".snakepit_") && name.find('@') != name.npos) {
        name.remove_prefix(10);
        const auto at = name.rfind('@');
        auto rest = name.substr(at + 1);
        rest.remove_prefix(std::min(rest.find('-') + 1, rest.size()));
        const bool tagged = rest.size() > 16 && rest[16] == '-';
        return OurName{std::string(name.substr(0, at)),
                       std::string(tagged ? rest.substr(8, 8) : std::string_view())};
    }
    if (!name.starts_with("snakepit_")) return std::nullopt;
    name.remove_prefix(9);
    for (const std::string_view suffix : {"_sealed", "_second"})
        if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
    for (const std::string_view word : {"_shm_", "_arena_"}) {
        const auto at = name.rfind(word);
        if (at == name.npos || at == 0) continue;
        // Behind "_shm_" stands an id, which has that word in itself.
        const auto rest = name.substr(word == "_shm_" ? at + 1 : at + word.size());
        const bool known =
            word == "_shm_"
                ? RegionId::parse(rest).has_value()
                : rest.size() == 16 && rest.find_first_not_of("0123456789abcdef") == rest.npos;
        if (known)
            return OurName{std::string(name.substr(0, at)),
                           std::string(name.substr(name.size() - 16, 8))};
    }
    return std::nullopt;
}

}  // namespace snakepit::shm::survey
