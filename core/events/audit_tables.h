// SPDX-License-Identifier: MIT
// The database columns of the chain and its checkpoints.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstring>
#include <optional>

#include "events/audit_chain.h"

namespace snakepit::shm {

inline constexpr std::string_view kCheckpointColumns = "seq, chain, time, reason, signature";

// A value of exactly this size, or nothing.
template <std::size_t N>
bool bytes_of(const SQLite::Column& column, std::array<std::byte, N>& out) {
    if (!column.isBlob() || column.getBytes() != static_cast<int>(N)) return false;
    std::memcpy(out.data(), column.getBlob(), N);
    return true;
}

inline std::optional<Digest> digest_of(const SQLite::Column& column) {
    Digest out;
    if (!bytes_of(column, out)) return std::nullopt;
    return out;
}

// The checkpoint in a row with kCheckpointColumns; nothing if it is malformed.
inline std::optional<Checkpoint> checkpoint_of(SQLite::Statement& row) {
    Checkpoint out;
    if (!bytes_of(row.getColumn(1), out.at.chain) || !bytes_of(row.getColumn(4), out.signature))
        return std::nullopt;
    out.at.seq = row.getColumn(0).getInt64();
    out.time.micros = row.getColumn(2).getInt64();
    out.reason = row.getColumn(3).getString();
    return out;
}

}  // namespace snakepit::shm
