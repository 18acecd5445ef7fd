// SPDX-License-Identifier: MIT
#include "base/paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/handle.h"
#include "base/ids.h"
#include "base/make_directory.h"

namespace snakepit::shm {

namespace {

constexpr const char* kNameFile = "/instance";
constexpr std::string_view kHostRuntime = "/run/snakepit-shm";
constexpr std::string_view kHostState = "/var/lib/snakepit-shm";

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

bool readable_file(const std::string& path) {
    return ::access(path.c_str(), R_OK) == 0;
}

std::string runtime_dir(const std::string& instance, bool for_service) {
    if (auto set = environment("SNAKEPIT_SHM_RUNTIME_DIR"); !set.empty()) return set;
    if (for_service)
        if (auto set = environment("RUNTIME_DIRECTORY"); !set.empty()) return set;
    if (auto set = environment("XDG_RUNTIME_DIR"); !set.empty())
        return fmt::format("{}/snakepit-shm/{}", set, instance);
    if (::geteuid() == 0) return fmt::format("{}/{}", kHostRuntime, instance);
    return fmt::format("/tmp/snakepit-shm-{}/{}", ::geteuid(), instance);
}

std::string state_dir(const std::string& instance, bool for_service) {
    if (auto set = environment("SNAKEPIT_SHM_STATE_DIR"); !set.empty()) return set;
    if (for_service)
        if (auto set = environment("STATE_DIRECTORY"); !set.empty()) return set;
    if (auto set = environment("XDG_STATE_HOME"); !set.empty())
        return fmt::format("{}/snakepit-shm/{}", set, instance);
    if (::geteuid() == 0) return fmt::format("{}/{}", kHostState, instance);
    return fmt::format("{}/.local/state/snakepit-shm/{}", environment("HOME"), instance);
}

std::string config_file() {
    if (auto set = environment("SNAKEPIT_SHM_CONFIG"); !set.empty()) return set;
    for (const auto& path : {user_config_file(), std::string("/etc/snakepit-shm/config.toml")})
        if (readable_file(path)) return path;
    return {};
}

// The directories that the environment names are those of one instance, which has its name in them.
std::string name_in(const std::string& directory) {
    constexpr std::size_t longest = 64;
    std::string out(longest, '\0');
    const Handle file(
        ::open((directory + kNameFile).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    const auto got = file ? ::read(file.get(), out.data(), out.size()) : 0;
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    if (!out.empty() && out.back() == '\n') out.pop_back();
    return check_instance_name(out) ? out : std::string();
}

// What cannot be written is not checked later; nothing else depends on it.
void leave_name_in(const std::string& directory, const std::string& name) {
    if (name_in(directory) == name) return;
    const Handle file(::open((directory + kNameFile).c_str(),
                             O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    const auto line = name + '\n';
    if (file) (void)!::write(file.get(), line.data(), line.size());
}

tl::unexpected<Error> other_instance(std::string_view variable, const std::string& there,
                                     const std::string& wanted, bool for_service) {
    return fail(for_service ? ErrorCode::instance_in_use : ErrorCode::no_manager,
                fmt::format("{} is set to a directory of the instance '{}', not of '{}'", variable,
                            there, wanted),
                fmt::format("use the instance '{}', or unset {} or set it to another directory",
                            there, variable));
}

// The name that holds: what was asked for has to be what the directories are of. Without a wish it
// is what they say.
Result<std::string> name_of(std::string_view wanted, bool for_service) {
    const auto named = environment("SNAKEPIT_SHM_INSTANCE");
    std::string name(wanted.empty() ? named : wanted);
    for (const auto* variable : {"SNAKEPIT_SHM_RUNTIME_DIR", "SNAKEPIT_SHM_STATE_DIR"}) {
        const auto directory = environment(variable);
        if (directory.empty()) continue;
        if (!wanted.empty() && !named.empty() && wanted != named)
            return other_instance(variable, named, name, for_service);
        const auto there = name_in(directory);
        if (name.empty()) name = there;
        if (!there.empty() && there != name)
            return other_instance(variable, there, name, for_service);
    }
    return name.empty() ? "default" : name;
}

// `parents`: the mode of those above it that are made.
Status prepare_directory(const std::string& path, std::uint32_t parents = 0700) {
    SHM_TRY(make_parents(path, parents));
    SHM_TRY(make_directory(path));

    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot look at {}", path)));
    if (!S_ISDIR(info.st_mode))
        return fail(ErrorCode::security_violation, fmt::format("{} is not a directory", path),
                    "remove it, or set SNAKEPIT_SHM_RUNTIME_DIR and SNAKEPIT_SHM_STATE_DIR");
    if (info.st_uid != ::geteuid())
        return fail(ErrorCode::permission_denied,
                    fmt::format("{} belongs to user {}", path, info.st_uid),
                    "run it as that user, or choose another instance");
    if ((info.st_mode & 022) != 0)
        return fail(ErrorCode::security_violation, fmt::format("others may write to {}", path),
                    fmt::format("chmod 700 {}", path));
    return {};
}

}  // namespace

Result<InstancePaths> resolve_paths(std::string_view instance, bool for_service) {
    InstancePaths paths;
    SHM_ASSIGN(paths.instance, name_of(instance, for_service));
    SHM_TRY(check_instance_name(paths.instance));
    paths.runtime_dir = runtime_dir(paths.instance, for_service);
    paths.state_dir = state_dir(paths.instance, for_service);
    paths.config_file = config_file();
    if (const auto credentials = environment("CREDENTIALS_DIRECTORY"); !credentials.empty())
        if (auto key = credentials + "/snakepit-shm.key"; readable_file(key))
            paths.key_file = std::move(key);
    if (paths.control_socket().size() > 107)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} is too long for a socket's path", paths.control_socket()),
                    "set SNAKEPIT_SHM_RUNTIME_DIR to a shorter directory");
    return paths;
}

std::string user_config_file() {
    auto base = environment("XDG_CONFIG_HOME");
    if (base.empty()) base = environment("HOME") + "/.config";
    return base + "/snakepit-shm/config.toml";
}

std::optional<InstancePaths> host_paths(const InstancePaths& own) {
    auto paths = own;
    paths.runtime_dir = fmt::format("{}/{}", kHostRuntime, own.instance);
    paths.state_dir = fmt::format("{}/{}", kHostState, own.instance);
    if (!environment("SNAKEPIT_SHM_RUNTIME_DIR").empty() || paths.runtime_dir == own.runtime_dir)
        return std::nullopt;
    return paths;
}

Status set_access(const std::string& path, std::uint32_t mode, std::optional<std::uint32_t> group) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot look at {}", path)));
    if (group && info.st_gid != *group &&
        ::lchown(path.c_str(), static_cast<uid_t>(-1), *group) != 0)
        return fail(ErrorCode::permission_denied,
                    fmt::format("cannot give {} to group {}", path, *group),
                    "make the service's user a member of that group (SupplementaryGroups=)");
    if (::chmod(path.c_str(), mode) != 0)
        return fail(system_error(errno, fmt::format("cannot change the mode of {}", path)));
    return {};
}

Status prepare_directories(const InstancePaths& paths, const AccessGroups& access) {
    SHM_TRY(prepare_directory(paths.runtime_dir, access.others() ? 0755 : 0700));
    if (access.others()) {
        const bool one_group =
            (access.socket_mode & 0006U) == 0 && (!access.admin_group || !access.socket_group ||
                                                  access.admin_group == access.socket_group);
        const auto group = access.socket_group ? access.socket_group : access.admin_group;
        SHM_TRY(set_access(paths.runtime_dir, one_group ? 0750 : 0755,
                           one_group ? group : std::nullopt));
    }
    SHM_TRY(prepare_directory(paths.lease_dir()));
    SHM_TRY(prepare_directory(paths.state_dir));
    for (const auto& directory : {paths.runtime_dir, paths.state_dir})
        leave_name_in(directory, paths.instance);
    return {};
}

}  // namespace snakepit::shm
