// SPDX-License-Identifier: MIT
#include "survey/group_names.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kContainerId = 64;  // hexadecimal digits
constexpr std::size_t kShownId = 12;      // as docker ps shows it
constexpr std::size_t kPodId = 36;        // of a UUID

bool take_front(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool take_back(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) return false;
    text.remove_suffix(suffix.size());
    return true;
}

// The 64 digits of "docker-<id>.scope", "<id>", "cri-containerd-<id>.scope". Podman's monitor of a
// container is not the container.
std::string_view container_id(std::string_view part) {
    (void)take_back(part, ".scope");
    if (part.starts_with("libpod-conmon-") || part.starts_with("crio-conmon-")) return {};
    if (const auto dash = part.rfind('-'); dash != part.npos) part.remove_prefix(dash + 1);
    const bool hexadecimal = part.find_first_not_of("0123456789abcdef") == part.npos;
    return part.size() == kContainerId && hexadecimal ? part : std::string_view();
}

// systemd writes characters that a unit's name may not have as \x2d.
std::string unescaped_unit(std::string_view text) {
    const auto digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text.substr(at, 2) == "\\x" && at + 3 < text.size() && digit(text[at + 2]) >= 0 &&
            digit(text[at + 3]) >= 0) {
            out += static_cast<char>(digit(text[at + 2]) * 16 + digit(text[at + 3]));
            at += 3;
        } else {
            out += text[at];
        }
    }
    return out;
}

// A container that has a name of its own. `before`: the part above.
std::optional<std::string> named_container(std::string_view part, std::string_view before) {
    if (take_front(part, "lxc.payload.")) return std::string(part);
    // Before LXC 4.0; the monitor was beside them, in a group of another name.
    if (before == "lxc" && !part.empty()) return std::string(part);
    if (part.starts_with("machine-qemu")) return std::nullopt;  // a virtual machine
    if (part.ends_with(".scope") && take_front(part, "machine-")) {
        (void)take_back(part, ".scope");
        return unescaped_unit(part);
    }
    if (part.ends_with(".service") && take_front(part, "systemd-nspawn@")) {
        (void)take_back(part, ".service");
        return unescaped_unit(part);
    }
    return std::nullopt;
}

// "pod<uid>", "kubepods-burstable-pod<uid with _>.slice".
std::string pod_of(std::string_view part) {
    const bool slice = take_back(part, ".slice");
    if (slice) {
        if (!part.starts_with("kubepods")) return {};
        const auto at = part.rfind("-pod");
        if (at == part.npos) return {};
        part.remove_prefix(at + 1);
    }
    if (!take_front(part, "pod")) return {};
    std::string out(part);
    std::replace(out.begin(), out.end(), '_', '-');
    const bool plain = out.find_first_not_of("0123456789abcdef-") == out.npos;
    // A static pod's is the digest of its file.
    return plain && (out.size() == kPodId || out.size() == kPodId - 4) ? out : std::string();
}

bool is_unit(std::string_view part) {
    constexpr std::array<std::string_view, 3> kUnits{".service", ".scope", ".slice"};
    return std::any_of(kUnits.begin(), kUnits.end(), [part](std::string_view unit) {
        return part.ends_with(unit) && part.size() > unit.size();
    });
}

}  // namespace

GroupParts parts_of_group(std::string_view path) {
    GroupParts out;
    std::string_view before;
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        const auto part = path.substr(0, end);
        path.remove_prefix(std::min(end + 1, path.size()));
        if (const auto id = container_id(part); !id.empty())
            out.container = id.substr(0, kShownId);
        else if (auto name = named_container(part, before))
            out.container = std::move(*name);
        else if (auto pod = pod_of(part); !pod.empty())
            out.pod = std::move(pod);
        // A slice groups units and is a better name than none.
        else if (is_unit(part) &&
                 (!part.ends_with(".slice") || out.unit.ends_with(".slice") || out.unit.empty()))
            out.unit = unescaped_unit(part);
        before = part;
    }
    return out;
}

GroupName name_of_group(std::string_view path) {
    if (path.empty() || path == "/") return {GroupKind::root, "the host"};
    const auto parts = parts_of_group(path);
    if (!parts.container.empty() && !parts.pod.empty())
        return {GroupKind::container,
                fmt::format("container {} of pod {}", parts.container, parts.pod)};
    if (!parts.container.empty())
        return {GroupKind::container, fmt::format("container {}", parts.container)};
    if (!parts.pod.empty()) return {GroupKind::pod, fmt::format("pod {}", parts.pod)};
    if (!parts.unit.empty()) return {GroupKind::unit, parts.unit};
    return {GroupKind::other, fmt::format("group {}", path)};
}

}  // namespace snakepit::shm::survey
