// SPDX-License-Identifier: MIT
#include "regions/encryption_records.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "platform/locked_memory.h"

namespace snakepit::shm {

using namespace layout;

namespace {

template <typename To, std::size_t N>
void copy_bytes(To& to, const std::uint8_t (&from)[N]) {
    static_assert(sizeof to == N);
    std::memcpy(to.data(), from, N);
}

tl::unexpected<Error> no_record(const RegionId& id) {
    return fail(ErrorCode::corruption_detected,
                fmt::format("the record of what {} contains is missing", id.str()),
                "deallocate it and allocate a new one");
}

bool read_all(const Handle& file, std::uint64_t offset, std::span<std::byte> out) {
    while (!out.empty()) {
        const auto got = ::pread(file.get(), out.data(), out.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        out = out.subspan(static_cast<std::size_t>(got));
        offset += static_cast<std::uint64_t>(got);
    }
    return true;
}

constexpr const char* kCut = "its segment cannot be read to the end";

std::optional<std::string> read_table(const Handle& segment, const EncryptionState& state,
                                      bool signs, ChunkTable& table) {
    const EncryptedLayout layout(state.size);
    table.resize(layout.chunks);
    if (!read_all(segment, layout.table(state.table()), std::as_writable_bytes(std::span(table))))
        return kCut;
    if (root_of(state, table) != state.root)
        return fmt::format("the table of its chunks is not that of version {}", state.version);
    if (signs && !root_signed(state))
        return fmt::format("version {} is not signed by its writer", state.version);
    return std::nullopt;
}

// About 1 ms for 2 GiB.
std::optional<std::string> check_table(const Handle& segment, const EncryptionState& state,
                                       bool signs) {
    ChunkTable table;
    if (state.version == 0) return std::nullopt;
    return read_table(segment, state, signs, table);
}

}  // namespace

Status EncryptionRecords::begin(std::uint32_t slot) {
    return state_.encryption->begin(slot, registry_.id(slot));
}

Result<EncryptionState> EncryptionRecords::read(std::uint32_t slot) const {
    const auto id = registry_.id(slot);
    const auto body = state_.encryption ? state_.encryption->find(slot, id) : std::nullopt;
    if (!body) return no_record(id);
    EncryptionState state;
    state.id = id;
    state.size = registry_.fixed(slot).size;
    state.version = body->version;
    state.key_version = body->key_version;
    state.writer_pid = body->writer_pid;
    state.writer_uid = body->writer_uid;
    copy_bytes(state.root, body->root);
    copy_bytes(state.public_key, body->public_key);
    copy_bytes(state.signature, body->signature);
    return state;
}

void EncryptionRecords::commit(std::uint32_t slot, const EncryptionBody& body) {
    state_.encryption->commit(slot, body);
}

std::optional<std::string> EncryptionRecords::fault_of(std::uint32_t slot) const {
    if (level(slot) == SecurityLevel::standard) return std::nullopt;
    const auto state = read(slot);
    if (!state) return state.error().message;
    const auto segment = allocator_.open(slot, AccessMode::read_only);
    if (!segment) return segment.error().message;
    return check_table(*segment, *state, level(slot) == SecurityLevel::maximum);
}

std::optional<std::string> check_contents(const Handle& segment, const EncryptionState& state,
                                          bool signs, std::span<const std::byte> key) {
    ChunkTable table;
    if (state.version == 0) return std::nullopt;
    if (auto fault = read_table(segment, state, signs, table)) return fault;
    auto cipher = ChunkCipher::make(key);
    const auto plain = LockedMemory::make(kChunkBytes);
    if (!cipher || !plain) return std::nullopt;  // out of memory: that says nothing of the region
    std::vector<std::byte> encrypted(kChunkBytes);
    const EncryptedLayout layout(state.size);
    for (std::uint64_t chunk = 0; chunk < layout.chunks; ++chunk) {
        const auto& entry = table[chunk];
        if (entry.cell == 0) continue;
        const auto cell = std::span(encrypted).first(layout.chunk_size(chunk));
        if (entry.cell > 2 || !read_all(segment, layout.cell(chunk, entry.cell), cell)) return kCut;
        const auto good = decrypt_chunk(*cipher, state.id, chunk, entry, cell, plain->data());
        if (good && !*good)
            return fmt::format("chunk {} (bytes from {} on) is not what was written", chunk,
                               chunk * kChunkBytes);
    }
    return std::nullopt;
}

}  // namespace snakepit::shm
