// SPDX-License-Identifier: MIT
#include "diagnostics/bundle_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include <QJsonArray>
#include <QJsonDocument>

#include <fmt/format.h>

#include "base/ids.h"
#include "diagnostics/bundle.h"
#include "diagnostics/plain_tables.h"
#include "diagnostics/registry_file.h"
#include "events/event_reader.h"
#include "sqlite/guarded.h"

namespace snakepit::shm {

namespace {

constexpr std::uint64_t kMostCounted = 1ULL << 62;

tl::unexpected<Error> spoilt(const std::string& file, std::string_view why) {
    return fail(ErrorCode::corruption_detected, fmt::format("{} is damaged: {}", file, why),
                "create it again with: snakepit-shm diagnose -o FILE");
}

Status write_at(const Handle& file, std::uint64_t offset, std::string_view bytes,
                const std::string& path) {
    while (!bytes.empty()) {
        const auto written =
            ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return fail(system_error(errno, fmt::format("cannot unpack {}", path)));
        offset += static_cast<std::uint64_t>(written);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

// Without a name from the start: it disappears however this program ends.
Result<Handle> make_file() {
    std::error_code unknown;
    const auto directory = std::filesystem::temp_directory_path(unknown).string();
    Handle file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        auto name = directory + "/snakepit-bundle-XXXXXX";
        file = Handle(::mkostemp(name.data(), O_CLOEXEC));
        if (file) ::unlink(name.c_str());
    }
    if (!file) return fail(system_error(errno, fmt::format("cannot unpack into {}", directory)));
    return file;
}

std::optional<std::uint64_t> place_of(std::string_view name) {
    name.remove_prefix(bundle_part::registry.size());
    std::uint64_t out = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), out, 16);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) return std::nullopt;
    return out;
}

}  // namespace

Result<BundleReader> BundleReader::open(const std::string& path) {
    SHM_ASSIGN(auto archive, ArchiveReader::open(path));
    if (!archive.has(bundle_part::manifest)) return spoilt(path, "it has no manifest");
    BundleReader out(path, std::move(archive));
    SHM_ASSIGN(const auto text, out.archive_.read(std::string(bundle_part::manifest)));
    auto manifest = read_manifest(text);
    if (!manifest)
        return fail(manifest.error().code,
                    fmt::format("{} cannot be opened: {}", path, manifest.error().message),
                    manifest.error().remedy);
    out.manifest_ = std::move(*manifest);
    SHM_TRY(out.unpack());
    return out;
}

Status BundleReader::unpack() {
    SHM_TRY(unpack_registry());
    SHM_ASSIGN(events_, unpack_database(bundle_part::events));
    SHM_ASSIGN(metrics_, unpack_database(bundle_part::metrics));
    if (events_.empty()) return {};
    auto reader = EventReader::open(events_);
    if (!reader) return spoilt(file_, "its events cannot be read");
    return {};
}

Status BundleReader::unpack_registry() {
    auto& file = unpacked_;
    for (const auto& entry : archive_.entries()) {
        if (!entry.name.starts_with(bundle_part::registry)) continue;
        const auto place = place_of(entry.name);
        if (!place || *place > layout::RegistryOffsets::end ||
            entry.size > layout::RegistryOffsets::end - *place)
            return spoilt(file_, "a piece of its registry has an invalid offset");
        if (!file) {
            SHM_ASSIGN(file, make_file());
        }
        SHM_ASSIGN(const auto bytes, archive_.read(entry.name));
        SHM_TRY(write_at(file, *place, bytes, "the registry"));
    }
    if (!file) return {};
    // The last chunk of slots ends with metadata, which may be left out.
    SHM_ASSIGN(auto size, size_of(file));
    SHM_TRY(extend_file(file, size, layout::RegistryOffsets::whole_chunks(size)));
    const auto path = fmt::format("/proc/self/fd/{}", file.get());
    const auto registry = RegistryFile::open(path);
    if (!registry && registry.error().code == ErrorCode::version_mismatch)
        return fail(registry.error().code,
                    fmt::format("the registry in {} was written by another release", file_),
                    "open it with the release that made it");
    if (!registry) return spoilt(file_, registry.error().message);
    layout::RegistryHeader header;
    layout::load_words(header, registry->view().header());
    if (header.checksum != layout::checksum_of(header))
        return spoilt(file_, "the header of its registry fails its checksum");
    // Readers count up to these.
    const auto& state = registry->view().state();
    if (state.sample_head.load() > kMostCounted || state.ring_head.load() > kMostCounted)
        return spoilt(file_, "the counters of its registry are invalid");
    registry_ = path;
    return {};
}

Result<std::string> BundleReader::unpack_database(std::string_view name) {
    if (!archive_.has(name)) return std::string();
    SHM_ASSIGN(const auto bytes, archive_.read(std::string(name)));
    const auto path = fmt::format("file:/snakepit-{:016x}/{}?vfs=memdb", random_u64(), name);
    const auto explain = [&](const SQLite::Exception& exception) {
        return spoilt(file_, fmt::format("{}: {}", name, exception.what())).value();
    };
    SHM_ASSIGN(const bool plain, guarded(path, explain, [&] {
                   SQLite::Database given(":memory:", SQLite::OPEN_READWRITE);
                   // Opened read-only, so that the bytes stay unchanged.
                   const int code = sqlite3_deserialize(
                       given.getHandle(), "main",
                       reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data())),
                       static_cast<sqlite3_int64>(bytes.size()),
                       static_cast<sqlite3_int64>(bytes.size()), SQLITE_DESERIALIZE_READONLY);
                   if (code != SQLITE_OK) throw SQLite::Exception("not a database", code);
                   if (!only_plain_tables(given)) return false;
                   databases_.push_back(std::make_unique<SQLite::Database>(
                       path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_URI));
                   SQLite::Backup(*databases_.back(), given).executeStep();
                   return true;
               }));
    if (!plain) return spoilt(file_, fmt::format("{} contains more than tables", name));
    return path;
}

Result<std::vector<RegionRow>> BundleReader::regions() const {
    if (registry_.empty())
        return fail(ErrorCode::not_supported, fmt::format("bundle {} has no registry", file_),
                    "it contained none when it was written; choose another bundle");
    SHM_ASSIGN(auto registry, RegistryReader::open(registry_));
    return registry.poll().changed;
}

Result<QJsonObject> BundleReader::document(const std::string& name) {
    if (!archive_.has(name)) return QJsonObject();
    SHM_ASSIGN(const auto text, archive_.read(name));
    return QJsonDocument::fromJson(QByteArray::fromStdString(text)).object();
}

Result<std::string> BundleReader::text(std::string_view name) {
    if (archive_.has(name)) return archive_.read(std::string(name));
    const auto why = why_without(name);
    return fail(ErrorCode::not_supported,
                fmt::format("the bundle has no {}{}{}", name, why.empty() ? "" : ": ", why),
                "create it again with: snakepit-shm diagnose -o FILE");
}

// Earlier releases do not give a reason.
std::string BundleReader::why_without(std::string_view name) const {
    const bool report =
        std::any_of(bundle_part::reports.begin(), bundle_part::reports.end(),
                    [&](std::string_view topic) { return name == fmt::format("{}.json", topic); });
    std::string out;
    for (const auto& value : manifest_.document[QLatin1String("left_out")].toArray()) {
        const auto gap = value.toObject();
        const auto about = gap[QLatin1String("name")].toString().toStdString();
        if (about == name || (report && out.empty() && about == bundle_part::said))
            out = gap[QLatin1String("why")].toString().toStdString();
    }
    return out;
}

}  // namespace snakepit::shm
