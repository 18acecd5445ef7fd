// SPDX-License-Identifier: MIT
#include "client/encrypted_views.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "client/cipher_module.h"

namespace snakepit::shm {

using layout::kChunkBytes;

namespace {

// Versions that may take a version's place while it is read, before the writers are locked out.
constexpr int kReadAttempts = 4;

// Part of a region that lies in one chunk.
struct Piece {
    std::uint64_t chunk, begin, size;  // begin: in the chunk
    std::uint64_t at;                  // in the part
};

template <typename Use>
Result<std::optional<std::uint64_t>> for_pieces(std::uint64_t offset, std::uint64_t size, Use use) {
    for (std::uint64_t at = 0; at < size;) {
        const auto chunk = (offset + at) / kChunkBytes;
        const auto begin = (offset + at) % kChunkBytes;
        const auto bytes = std::min(kChunkBytes - begin, size - at);
        if (auto used = use(Piece{chunk, begin, bytes, at}); !used || *used) return used;
        at += bytes;
    }
    return std::optional<std::uint64_t>();
}

std::string chunk_name(std::uint64_t chunk) {
    return fmt::format("chunk {} (bytes from {} on) is not what was written", chunk,
                       chunk * kChunkBytes);
}

Error no_view() {
    return make_error(ErrorCode::not_held, "this mapping was given back already",
                      "use what map() returned, until it is unmapped");
}

// However an operation ends.
struct Rest {
    EncryptedSession& session;
    ~Rest() { session.rest(); }
};

}  // namespace

struct EncryptedViews::View {
    std::unique_ptr<EncryptedSession> session;
    AccessMode access = AccessMode::read_only;
    LockedMemory plain;
    LockedMemory kept;  // of a writable view: the chunks as they were when they were last in step
    LockedMemory scratch;                 // one chunk
    std::vector<std::uint64_t> versions;  // of each chunk in `plain`; 0: still untouched zeros
    std::vector<bool> unsaved;            // a flush that failed has changed `kept` already
    bool loaded = false;                  // a whole version is in it; somebody may use it
    std::mutex mutex;

    bool changed(std::uint64_t chunk) const {
        if (!kept.valid()) return false;
        const auto at = chunk * kChunkBytes;
        return unsaved[chunk] || std::memcmp(plain.data() + at, kept.data() + at,
                                             session->layout().chunk_size(chunk)) != 0;
    }
    void abandon() {
        session->abandon();
        plain.abandon();
        kept.abandon();
        scratch.abandon();
    }
};

Result<std::unique_ptr<EncryptedSession>> EncryptedViews::session(const RegionId& id,
                                                                  const MappedRegion& segment) {
    SHM_ASSIGN(auto* const engine, cipher_engine());
    return std::make_unique<EncryptedSession>(*engine, ask_, id, segment.size, segment.level,
                                              segment.data);
}

Result<std::shared_ptr<EncryptedViews::View>> EncryptedViews::find(const MappedRegion& view) {
    const std::lock_guard held(mutex_);
    const auto found = views_.find(view.data);
    if (found != views_.end()) return found->second;
    return fail(no_view());
}

// ------------------------------------------------------------------ versions

Status EncryptedViews::read_version(EncryptedSession& session, const Reading& reading) {
    const Rest rest{session};
    SHM_TRY(session.sync());
    for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
        const auto version = session.version();
        SHM_ASSIGN(const auto unread, reading(session));
        if (!unread) return {};
        SHM_TRY(session.sync());
        if (session.version() == version) return fail(session.damaged(chunk_name(*unread)));
    }
    SHM_ASSIGN(const auto lock, locks_.lock(session.id(), AccessMode::read_only, kLockForever));
    const auto done = [&]() -> Status {
        SHM_TRY(session.sync());
        SHM_ASSIGN(const auto unread, reading(session));
        if (unread) return fail(session.damaged(chunk_name(*unread)));
        return {};
    }();
    (void)locks_.unlock(session.id(), lock.token);
    return done;
}

Status EncryptedViews::write_version(EncryptedSession& session, bool rotate,
                                     const std::function<Status(EncryptedSession&)>& writing) {
    const Rest rest{session};
    SHM_ASSIGN(const auto lock, locks_.lock(session.id(), AccessMode::read_write, kLockForever));
    auto done = [&]() -> Status {
        SHM_TRY(session.sync());
        SHM_TRY(session.begin(rotate));
        SHM_TRY(writing(session));
        return session.commit();
    }();
    const auto unlocked = locks_.unlock(session.id(), lock.token);
    if (done && !unlocked) return unlocked;
    return done;
}

// -------------------------------------------------------------------- views

Result<MappedRegion> EncryptedViews::open(const RegionId& id, const MappedRegion& segment) {
    auto view = std::make_shared<View>();
    SHM_ASSIGN(view->session, session(id, segment));
    view->access = segment.access;
    SHM_ASSIGN(view->plain, LockedMemory::make(segment.size));
    if (segment.access == AccessMode::read_write) {
        SHM_ASSIGN(view->kept, LockedMemory::make(segment.size));
    }
    const auto chunks = view->session->layout().chunks;
    view->versions.resize(chunks);
    view->unsaved.resize(chunks);
    SHM_TRY(load(*view));
    view->loaded = true;
    auto mapped = segment;
    mapped.data = view->plain.data();
    const std::lock_guard held(mutex_);
    views_.emplace(mapped.data, std::move(view));
    return mapped;
}

// Brings in what is newer; what was changed here stays. Once somebody uses the view, a chunk is
// decrypted elsewhere first, so that a failure leaves it as it was.
Status EncryptedViews::load(View& view) {
    return read_version(
        *view.session, [&](EncryptedSession& session) -> Result<std::optional<std::uint64_t>> {
            for (std::uint64_t chunk = 0; chunk < session.layout().chunks; ++chunk) {
                const auto version = session.entry(chunk).version;
                if (version == view.versions[chunk] || (view.loaded && view.changed(chunk)))
                    continue;
                auto* const plain = view.plain.data() + chunk * kChunkBytes;
                if (view.loaded && !view.scratch.valid()) {
                    SHM_ASSIGN(view.scratch, LockedMemory::make(kChunkBytes));
                }
                auto* const to = view.loaded ? view.scratch.data() : plain;
                SHM_ASSIGN(const bool loaded, session.load(chunk, to));
                if (!loaded) return std::optional(chunk);
                const auto size = session.layout().chunk_size(chunk);
                if (view.loaded) std::memcpy(plain, to, size);
                if (view.kept.valid())
                    std::memcpy(view.kept.data() + chunk * kChunkBytes, to, size);
                view.versions[chunk] = version;
            }
            return std::optional<std::uint64_t>();
        });
}

Status EncryptedViews::flush(View& view) {
    if (view.access == AccessMode::read_only) return {};
    std::vector<std::uint64_t> changed;
    for (std::uint64_t chunk = 0; chunk < view.versions.size(); ++chunk)
        if (view.changed(chunk)) changed.push_back(chunk);
    if (changed.empty()) return {};
    auto written = write_version(*view.session, false, [&](EncryptedSession& session) -> Status {
        for (const auto chunk : changed) {
            const auto at = chunk * kChunkBytes;
            const auto size = session.layout().chunk_size(chunk);
            // Another thread may go on writing: what is encrypted is what will be compared with.
            std::memcpy(view.kept.data() + at, view.plain.data() + at, size);
            view.unsaved[chunk] = true;
            SHM_TRY(session.store(chunk, {view.kept.data() + at, size}));
        }
        return {};
    });
    if (!written) return written;
    for (const auto chunk : changed) {
        view.unsaved[chunk] = false;
        view.versions[chunk] = view.session->entry(chunk).version;
    }
    return {};
}

Status EncryptedViews::flush(const MappedRegion& mapped) {
    SHM_ASSIGN(const auto view, find(mapped));
    const std::lock_guard held(view->mutex);
    return flush(*view);
}

Status EncryptedViews::refresh(const MappedRegion& mapped) {
    SHM_ASSIGN(const auto view, find(mapped));
    const std::lock_guard held(view->mutex);
    return load(*view);
}

Status EncryptedViews::close(const MappedRegion& mapped, Status& written) {
    std::shared_ptr<View> view;
    {
        const std::lock_guard held(mutex_);
        const auto found = views_.find(mapped.data);
        if (found == views_.end()) return fail(no_view());
        view = std::move(found->second);
        views_.erase(found);
    }
    const std::lock_guard held(view->mutex);
    written = flush(*view);
    // What was deallocated meanwhile nobody reads any more.
    if (!written && written.error().code == ErrorCode::region_not_found) written = {};
    return {};
}

// -------------------------------------------------------------------- parts

Status EncryptedViews::read(const RegionId& id, const MappedRegion& segment, std::uint64_t offset,
                            std::span<std::byte> out) {
    SHM_ASSIGN(const auto chunks, session(id, segment));
    LockedMemory scratch;
    return read_version(*chunks, [&](EncryptedSession& from) {
        return for_pieces(
            offset, out.size(), [&](const Piece& piece) -> Result<std::optional<std::uint64_t>> {
                const bool whole = piece.size == from.layout().chunk_size(piece.chunk);
                if (!whole && !scratch.valid()) {
                    SHM_ASSIGN(scratch, LockedMemory::make(kChunkBytes));
                }
                auto* const to = out.data() + piece.at;
                SHM_ASSIGN(const bool loaded, from.load(piece.chunk, whole ? to : scratch.data()));
                if (!loaded) return std::optional(piece.chunk);
                if (!whole) std::memcpy(to, scratch.data() + piece.begin, piece.size);
                return std::optional<std::uint64_t>();
            });
    });
}

// The rest of a chunk that is written in part is read first; the lock keeps it as it is.
Status EncryptedViews::write(const RegionId& id, const MappedRegion& segment, std::uint64_t offset,
                             std::span<const std::byte> bytes) {
    if (bytes.empty()) return {};
    SHM_ASSIGN(const auto chunks, session(id, segment));
    LockedMemory scratch;
    return write_version(*chunks, false, [&](EncryptedSession& to) -> Status {
        const auto unread = for_pieces(
            offset, bytes.size(), [&](const Piece& piece) -> Result<std::optional<std::uint64_t>> {
                const auto size = to.layout().chunk_size(piece.chunk);
                const auto part = bytes.subspan(piece.at, piece.size);
                if (piece.size == size) {
                    SHM_TRY(to.store(piece.chunk, part));
                    return std::optional<std::uint64_t>();
                }
                if (!scratch.valid()) {
                    SHM_ASSIGN(scratch, LockedMemory::make(kChunkBytes));
                }
                SHM_ASSIGN(const bool loaded, to.load(piece.chunk, scratch.data()));
                if (!loaded) return std::optional(piece.chunk);
                std::memcpy(scratch.data() + piece.begin, part.data(), part.size());
                SHM_TRY(to.store(piece.chunk, scratch.bytes().first(size)));
                return std::optional<std::uint64_t>();
            });
        if (!unread) return fail(unread.error());
        if (*unread) return fail(to.damaged(chunk_name(**unread)));
        return {};
    });
}

Result<std::uint32_t> EncryptedViews::rotate(const RegionId& id, const MappedRegion& segment) {
    SHM_ASSIGN(const auto chunks, session(id, segment));
    SHM_ASSIGN(const auto scratch, LockedMemory::make(kChunkBytes));
    const auto written = write_version(*chunks, true, [&](EncryptedSession& all) -> Status {
        for (std::uint64_t chunk = 0; chunk < all.layout().chunks; ++chunk) {
            if (all.entry(chunk).cell == 0) continue;
            SHM_ASSIGN(const bool loaded, all.load(chunk, scratch.data()));
            if (!loaded) return fail(all.damaged(chunk_name(chunk)));
            SHM_TRY(all.store(chunk, scratch.bytes().first(all.layout().chunk_size(chunk))));
        }
        return {};
    });
    if (!written) return fail(written.error());
    return chunks->key_version();
}

void EncryptedViews::abandon() {
    for (auto& [data, view] : views_) view->abandon();
}

}  // namespace snakepit::shm
