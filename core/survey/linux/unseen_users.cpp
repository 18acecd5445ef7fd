// SPDX-License-Identifier: MIT
#include "survey/linux/unseen_users.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "platform/linux/kernel_text.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr auto kBlockDevices = "/sys/block";

// The path belongs to the namespace of whoever set the device up, so the kernel is asked for the
// file itself.
void identify(KernelUser& user) {
    const Handle device(
        ::open(fmt::format("/dev/{}", user.label).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    loop_info64 info{};
    if (!device || ::ioctl(device.get(), LOOP_GET_STATUS64, &info) != 0) return;
    user.device = info.lo_device;
    user.inode = info.lo_inode;
}

void add_loop_devices(std::vector<KernelUser>& out) {
    const auto directory = open_directory(AT_FDCWD, kBlockDevices);
    while (const auto* entry = directory ? ::readdir(directory.get()) : nullptr) {
        const std::string_view name(entry->d_name);
        if (!name.starts_with("loop")) continue;
        const auto path = fmt::format("{}/{}/loop/backing_file", kBlockDevices, name);
        auto file = read_file(AT_FDCWD, path.c_str());
        if (!file) continue;  // it has none
        if (file->ends_with('\n')) file->pop_back();
        KernelUser user{.label = std::string(name), .path = std::move(*file)};
        identify(user);
        out.push_back(std::move(user));
    }
}

}  // namespace

std::vector<KernelUser> parse_swaps(std::string_view text) {
    std::vector<KernelUser> out;
    text.remove_prefix(std::min(text.find('\n'), text.size()));
    while (!text.empty()) {
        text.remove_prefix(1);
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size());
        const auto path = line.substr(0, line.find(' '));
        line.remove_prefix(path.size());
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        if (line.starts_with("file")) out.push_back({.label = "swap", .path = unescaped(path)});
    }
    return out;
}

std::vector<KernelUser> kernel_users(int proc) {
    auto out = parse_swaps(read_file(proc, "swaps").value_or(""));
    for (auto& user : out) {
        struct stat info {};
        if (::lstat(user.path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
        user.device = info.st_dev;
        user.inode = info.st_ino;
    }
    add_loop_devices(out);
    return out;
}

}  // namespace snakepit::shm::survey
