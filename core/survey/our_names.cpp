// SPDX-License-Identifier: MIT
#include "survey/our_names.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/ids.h"

namespace snakepit::shm::survey {

// snakepit_<instance>_shm_<number>_<16 digits>, snakepit_<instance>_arena_<16 digits>, or a mark,
// .snakepit_<instance>@…. An instance name may contain any of these words, so the name is parsed
// from the end.
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
        // After "_shm_" there is an id, which contains that word too.
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

OurAccount account_of(const OurName& own, const Registry* registry, const std::string& owner) {
    const auto& instance = own.instance;
    if (!registry)
        return {
            fmt::format("Its name is one of Snakepit SHM's, instance {}, but no manager of that "
                        "instance left a mark here.",
                        instance),
            fmt::format("Run 'snakepit-shm serve --instance {}' with that instance's runtime "
                        "directory to remove what is not needed.",
                        instance)};
    switch (registry->state) {
        case Registry::State::managed:
            return {fmt::format("A manager of instance {} is running and manages it.", instance),
                    fmt::format("Use 'snakepit-shm cleanup --instance {}' to remove what is not "
                                "needed.",
                                instance)};
        case Registry::State::stands:
            return {fmt::format("Instance {}, whose registry is {}, manages it.", instance,
                                registry->path),
                    fmt::format("Run 'snakepit-shm serve --instance {}' to remove what is not "
                                "needed.",
                                instance)};
        case Registry::State::not_seen:
            return {fmt::format("It belongs to instance {}, whose registry is not accessible here.",
                                instance),
                    fmt::format("Ask {} or an administrator.", owner)};
        case Registry::State::gone:
            break;
    }
    const auto slash = registry->path.rfind('/');
    return {
        fmt::format("It belongs to instance {}, whose registry {} no longer exists.", instance,
                    registry->path),
        fmt::format("Run 'SNAKEPIT_SHM_RUNTIME_DIR={} snakepit-shm serve --instance {}' to "
                    "remove what is not needed, or name it in 'snakepit-shm host clean'.",
                    slash == std::string::npos ? "." : registry->path.substr(0, slash), instance)};
}

}  // namespace snakepit::shm::survey
