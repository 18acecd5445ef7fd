// SPDX-License-Identifier: MIT
#include "registry/encryption_table.h"

#include <unistd.h>

#include <cstddef>

#include "registry/epoch_file.h"

namespace snakepit::shm {

using namespace layout;

Result<EncryptionTable> EncryptionTable::open(const std::string& path, std::uint64_t epoch) {
    EncryptionTable table;
    SHM_ASSIGN(table.file_, open_epoch_file(path, {kEncryptionMagic, kVersion, kMaxSlots, epoch, 0},
                                            {EncryptionOffsets::records, EncryptionOffsets::end}));
    return table;
}

Status EncryptionTable::begin(std::uint32_t slot, const RegionId& id) {
    SHM_TRY(file_.reserve(EncryptionOffsets::record(slot), sizeof(EncryptionRecord)));
    SHM_TRY(file_.extend(EncryptionOffsets::chunk_end(slot)));
    EncryptionBody body{};
    body.id_micros = id.micros;
    body.id_random = id.random;
    body.key_version = 1;
    commit(slot, body);
    return {};
}

// Read through the descriptor: what was never begun may lie in a hole of the file, which touching
// would fill, or fault where the file system is full.
std::optional<EncryptionBody> EncryptionTable::find(std::uint32_t slot, const RegionId& id) const {
    const auto at = static_cast<off_t>(EncryptionOffsets::record(slot));
    std::uint64_t control = 0;
    if (::pread(file_.handle().get(), &control, sizeof control, at) != sizeof control ||
        control == 0)
        return std::nullopt;
    EncryptionBody body{};
    const auto where = at + static_cast<off_t>(offsetof(EncryptionRecord, body)) +
                       static_cast<off_t>((control & 1) * sizeof body);
    const bool counts = ::pread(file_.handle().get(), &body, sizeof body, where) == sizeof body &&
                        body.checksum == checksum_of(body) && body.id_micros == id.micros &&
                        body.id_random == id.random;
    return counts ? std::optional(body) : std::nullopt;
}

// The other body first, then the word that names it.
void EncryptionTable::commit(std::uint32_t slot, EncryptionBody body) {
    auto& to = record(slot);
    body.checksum = checksum_of(body);
    const auto next = to.control.load(std::memory_order_relaxed) + 1;
    to.body[next & 1] = body;
    to.control.store(next, std::memory_order_release);
}

}  // namespace snakepit::shm
