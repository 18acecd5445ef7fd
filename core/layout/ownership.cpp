// SPDX-License-Identifier: MIT
#include "layout/ownership.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "base/ids.h"
#include "layout/registry_layout.h"
#include "layout/registry_reader.h"

namespace snakepit::shm {

namespace {

constexpr std::string_view kMarkVersion = "snakepit-shm mark 1";
constexpr int kAttempts = 3;  // another process may remove a mark while it is being created

std::string prefix_of(const std::string& instance) {
    return fmt::format(".snakepit_{}@", instance);
}

std::string user_part(std::uint32_t uid) {
    return fmt::format("{}-", uid);
}

template <typename Number>
bool take(std::string_view& text, Number& out, int base, char end) {
    const auto parsed = std::from_chars(text.begin(), text.end(), out, base);
    if (parsed.ec != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.begin()));
    if (end == '\0') return text.empty();
    if (!text.starts_with(end)) return false;
    text.remove_prefix(1);
    return true;
}

// The epoch in "<16 digits>-<32 digits>", the part after the user id.
std::optional<std::uint64_t> epoch_in(std::string_view rest) {
    constexpr std::size_t kEpoch = 16, kRandom = 32;
    const auto digits = [](std::string_view text) {
        return text.find_first_not_of("0123456789abcdef") == text.npos;
    };
    std::uint64_t epoch = 0;
    if (rest.size() != kEpoch + 1 + kRandom || !digits(rest.substr(kEpoch + 1)) ||
        !digits(rest.substr(0, kEpoch)) || !take(rest, epoch, 16, '-'))
        return std::nullopt;
    return epoch;
}

// An earlier release wrote .snakepit_<instance>@<16 digits>, moved into place from "….new".
bool of_earlier_release(std::string_view rest) {
    if (rest.ends_with(".new")) rest.remove_suffix(4);
    return rest.size() == 16 && rest.find_first_not_of("0123456789abcdef") == rest.npos;
}

std::string_view line(std::string_view& text) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto out = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return out;
}

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 || slash == path.npos ? "/" : path.substr(0, slash);
}

// The epoch of the registry in that directory; 0: no registry; empty: unknown.
std::optional<std::uint64_t> epoch_of_registry(const OpenDirectory& directory,
                                               const std::string& path) {
    const auto head =
        read_head(directory, path.substr(path.rfind('/') + 1), sizeof(layout::RegistryHeader));
    if (!head)
        return head.error().code == ErrorCode::region_not_found ? std::optional<std::uint64_t>(0)
                                                                : std::nullopt;
    layout::RegistryHeader header{};
    if (head->size() < sizeof header) return std::nullopt;
    std::memcpy(&header, head->data(), sizeof header);
    // A damaged header may belong to this registry: its manager repairs it.
    if (header.magic != layout::kRegistryMagic || header.checksum != layout::checksum_of(header))
        return std::nullopt;
    return header.epoch;
}

// Where the recorded path has the same meaning: whether the directory does not exist any more.
bool directory_lost(const DirectoryId& recorded, std::string path) {
    auto found = open_directory(path);
    while (!found && found.error().code == ErrorCode::region_not_found && path != "/") {
        path = parent_of(path);
        found = open_directory(path);
    }
    if (!found) return false;
    // Removed or replaced at its place, and not hidden by a mount.
    if (found->id.system == recorded.system) return !(found->id == recorded);
    return recorded.system.in_memory && mounted_here(recorded.system.device) == false;
}

}  // namespace

std::optional<std::uint64_t> number_of(std::string_view name_end) {
    if (const auto arena = arena_of(name_end)) return arena;
    for (const auto suffix : {kSealedSuffix, kSecondSuffix})
        if (name_end.ends_with(suffix)) name_end.remove_suffix(suffix.size());
    const auto id = RegionId::parse(name_end);
    return id ? std::optional(id->random) : std::nullopt;
}

// ------------------------------------------------------------------ our mark

OwnershipMark::OwnershipMark(std::string directory, const InstancePaths& paths, std::uint32_t uid,
                             std::uint64_t epoch)
    : directory_(std::move(directory)),
      prefix_(prefix_of(paths.instance) + user_part(uid) + fmt::format("{:016x}-", epoch)) {
    if (const auto opened = open_directory(paths.runtime_dir))
        text_ = Ownership::format({view_of_paths(), opened->id, paths.registry()});
    adopt(uid);
    tend();
}

// One of them is reused; the others belong to dead managers of this registry.
void OwnershipMark::adopt(std::uint32_t uid) {
    for (const auto& found : list_small_files(directory_, prefix_, uid).files) {
        if (found.held || !found.readable) continue;
        auto taken = HeldFile::take(directory_, found.name);
        if (!taken) continue;
        if (file_.valid()) {
            taken->remove();
        } else {
            file_ = std::move(*taken);
            written_ = found.text == text_;
        }
    }
}

Status OwnershipMark::make() {
    for (int attempt = 0;; ++attempt) {
        auto made = HeldFile::create(
            directory_, fmt::format("{}{:016x}{:016x}", prefix_, random_u64(), random_u64()));
        if (made) {
            file_ = std::move(*made);
            written_ = false;
            return {};
        }
        if (made.error().code != ErrorCode::platform_error || attempt == kAttempts)
            return fail(std::move(made).error());
    }
}

void OwnershipMark::tend() {
    if (!file_.valid() || !file_.named()) {
        if (auto made = make(); !made) {
            problem_ = made.error().message;
            return;
        }
    }
    if (!written_) {
        auto done = file_.write(text_);
        written_ = done.has_value();
        problem_ = done ? std::string() : done.error().message;
    }
}

// --------------------------------------------------------------- everybody's

// The first line is what earlier releases look for.
std::string Ownership::format(const Place& place) {
    if (place.registry.find('\n') != std::string::npos) return {};
    const auto& [system, inode, born] = place.directory;
    return fmt::format("{}\n{}\nview {}\ndirectory {} {} {} {} {}\n", place.registry, kMarkVersion,
                       place.view, system.device, system.number, system.in_memory ? 1 : 0, inode,
                       born);
}

std::optional<Ownership::Place> Ownership::parse(std::string_view text) {
    Place out;
    if (!text.ends_with('\n')) return std::nullopt;  // its end may be missing
    out.registry = line(text);
    if (!out.registry.starts_with('/') || line(text) != kMarkVersion) return std::nullopt;
    auto view = line(text);
    auto directory = line(text);
    if (!view.starts_with("view ") || !directory.starts_with("directory ") || !text.empty())
        return std::nullopt;
    out.view = view.substr(5);
    directory.remove_prefix(10);
    auto& [system, inode, born] = out.directory;
    int in_memory = 0;
    if (!take(directory, system.device, 10, ' ') || !take(directory, system.number, 10, ' ') ||
        !take(directory, in_memory, 10, ' ') || !take(directory, inode, 10, ' ') ||
        !take(directory, born, 10, '\0'))
        return std::nullopt;
    system.in_memory = in_memory == 1;
    return out;
}

Ownership Ownership::read(const std::string& directory, const std::string& instance,
                          std::uint32_t uid, std::uint64_t own_epoch, const std::string& own_mark) {
    Ownership out;
    out.directory_ = directory;
    out.view_ = view_of_paths();
    out.own_epoch_ = own_epoch;
    const auto prefix = prefix_of(instance), user = user_part(uid);
    const auto listed = list_small_files(directory, prefix, uid);
    out.complete_ = listed.complete;
    for (const auto& file : listed.files) {
        auto rest = std::string_view(file.name).substr(prefix.size());
        if (of_earlier_release(rest)) {
            std::string_view text = file.text;
            out.old_.emplace(file.name, line(text));
        }
        if (!rest.starts_with(user)) continue;
        rest.remove_prefix(user.size());
        const auto epoch = epoch_in(rest);
        if (!epoch || file.name == own_mark || (own_mark.empty() && *epoch == own_epoch)) continue;
        out.marks_.emplace(
            static_cast<std::uint32_t>(*epoch),
            Mark{
                file.name, *epoch, file.held, file.readable ? parse(file.text) : std::nullopt, {}});
    }
    return out;
}

bool Ownership::lost(Mark& mark) const {
    if (!mark.place) return false;
    const auto& [view, directory, registry] = *mark.place;
    const bool same_view = !view.empty() && view == view_;
    const auto here = open_directory(parent_of(registry));
    if (here && here->id == directory && (directory.born != 0 || same_view)) {
        const auto epoch = epoch_of_registry(*here, registry);
        return epoch && *epoch != mark.epoch;
    }
    if (same_view && directory_lost(directory, parent_of(registry))) return true;
    return directory.system.in_memory && file_system_gone(directory.system);
}

Owner Ownership::owner(std::uint32_t tag) {
    const auto [first, last] = marks_.equal_range(tag);
    if (std::any_of(first, last, [](const auto& entry) { return entry.second.held; }))
        return Owner::running;
    if (own_epoch_ != 0 && tag == static_cast<std::uint32_t>(own_epoch_)) return Owner::us;
    if (first == last || !complete_) return Owner::may_return;
    const bool all_lost = std::all_of(first, last, [this](auto& entry) {
        auto& mark = entry.second;
        if (!mark.lost) mark.lost = lost(mark);
        return *mark.lost;
    });
    return all_lost ? Owner::nobody : Owner::may_return;
}

void Ownership::remove_dead(const std::unordered_set<std::uint32_t>& tags_left,
                            bool unmarked) const {
    const auto remove = [this](const std::string& name) {
        if (auto taken = HeldFile::take(directory_, name)) taken->remove();
    };
    for (const auto& [tag, mark] : marks_)
        if (!mark.held && !tags_left.contains(tag)) remove(mark.name);
    for (const auto& [name, registry] : old_) {
        const auto there = open_directory(parent_of(registry));
        const auto epoch = there ? epoch_of_registry(*there, registry) : std::nullopt;
        if (!unmarked && (epoch.value_or(0) == 0 || *epoch == own_epoch_)) remove(name);
    }
}

bool Ownership::copied(const std::string& directory, const InstancePaths& paths,
                       std::uint32_t uid) {
    const auto runtime = open_directory(paths.runtime_dir);
    const auto epoch = runtime ? epoch_of_registry(*runtime, paths.registry()) : std::nullopt;
    if (epoch.value_or(0) == 0) return false;
    const auto marks = read(directory, paths.instance, uid, 0).marks_;
    return std::any_of(marks.begin(), marks.end(), [&](const auto& entry) {
        const auto& mark = entry.second;
        return mark.held && mark.epoch == *epoch && mark.place &&
               !(mark.place->directory == runtime->id);
    });
}

}  // namespace snakepit::shm
