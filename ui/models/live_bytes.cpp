// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/live_bytes.h"

#include <algorithm>
#include <utility>

#include "platform/guarded_copy.h"
#include "platform/locked_memory.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kReadMillis = 3000;  // closing the window waits for a call that is under way

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<std::unique_ptr<ByteSource>> LiveBytes::open(const std::string& instance,
                                                    const RegionId& id) {
    ConnectOptions options;
    options.instance = instance;
    options.timeout_ms = kReadMillis;
    SHM_ASSIGN(auto client, ManagerClient::connect(options));
    SHM_ASSIGN(auto info, client->info(id));
    return std::unique_ptr<ByteSource>(new LiveBytes(std::move(client), std::move(info)));
}

Result<std::string> LiveBytes::read(std::uint64_t offset, std::size_t size) {
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(size, info_.size - std::min(offset, info_.size)));
    if (count == 0) return std::string();
    if (info_.security_level != SecurityLevel::standard) {
        SHM_ASSIGN(const auto plain, LockedMemory::make(count));
        SHM_TRY(client_->read(info_.id, offset, plain.bytes()));
        return text_of(plain.bytes());
    }
    SHM_ASSIGN(const auto mapped, client_->map(info_.id, AccessMode::read_only));
    std::string out(count, '\0');
    const bool cut = !copy_from_shared(out.data(), mapped.data + offset, count);
    SHM_TRY(client_->unmap(mapped));
    if (cut)
        return fail(ErrorCode::corruption_detected, "another process cut the region's memory",
                    "'snakepit-shm health' shows the problem; deallocate the region and allocate "
                    "a new one");
    return out;
}

}  // namespace snakepit::shm::ui
