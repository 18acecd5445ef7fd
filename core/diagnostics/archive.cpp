// SPDX-License-Identifier: MIT
#include "diagnostics/archive.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "base/handle.h"
#include "base/time.h"
#include "base/units.h"
#include "diagnostics/plain_tables.h"

namespace snakepit::shm {

namespace {

constexpr const char* kTable =
    "CREATE TABLE sqlar(name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB)";
constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr std::size_t kHeaderBytes = 100;
// More than a bundle of a full registry needs.
constexpr std::size_t kMostEntries = 10'000;
constexpr std::uint64_t kMostBytes = 1ULL << 30;     // of one entry
constexpr std::uint64_t kMostTogether = 4ULL << 30;  // of all
constexpr std::uint64_t kMostInflation = 1100;       // zlib packs zeros about 1:1030
constexpr int kEntryMode = S_IFREG | 0600;

// Deflated if that makes it smaller; a reader tells by the length.
std::string packed(std::string_view bytes) {
    auto size = ::compressBound(bytes.size());
    std::string out(size, '\0');
    const auto status =
        ::compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                    reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), Z_BEST_SPEED);
    if (status != Z_OK || size >= bytes.size()) return std::string(bytes);
    out.resize(size);
    return out;
}

// Parts of names are words of these letters; no part is "." or "..".
bool safe_name(std::string_view name) {
    constexpr std::size_t longest = 200;
    if (name.empty() || name.size() > longest || name.front() == '/') return false;
    while (!name.empty()) {
        const auto slash = std::min(name.find('/'), name.size());
        const auto part = name.substr(0, slash);
        if (part.empty() || part.front() == '.') return false;
        for (const char c : part)
            if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_' &&
                c != '-')
                return false;
        name.remove_prefix(std::min(slash + 1, name.size()));
    }
    return true;
}

tl::unexpected<Error> refused(const std::string& path, std::string_view why) {
    return fail(ErrorCode::corruption_detected,
                fmt::format("{} is not a diagnostic bundle: {}", path, why),
                "create one with: snakepit-shm diagnose -o FILE");
}

// The size of the file by its header: pages of 512 bytes to 64 KiB.
std::uint64_t size_in(const std::array<unsigned char, kHeaderBytes>& header) {
    const std::uint64_t page = header[16] * 256U + header[17];
    std::uint64_t pages = 0;
    for (std::size_t i = 28; i < 32; ++i) pages = pages * 256 + header[i];
    return (page == 1 ? 65536 : page) * pages;
}

// As a URI, whatever letters the path has.
std::string uri_of(const std::string& path) {
    std::string out = "file:";
    for (const char c : path) {
        if (c == '?' || c == '#' || c == '%')
            out += fmt::format("%{:02X}", static_cast<unsigned>(c));
        else
            out += c;
    }
    return out + "?mode=ro&immutable=1";
}

}  // namespace

Result<ArchiveWriter> ArchiveWriter::begin(const std::string& path, bool replace) {
    SHM_ASSIGN(auto file, OutputFile::begin(path, {.replace = replace, .mode = 0600}));
    ArchiveWriter out(path, std::move(file));
    try {
        out.database_ = std::make_unique<SQLite::Database>(
            "file:archive?vfs=memdb",
            SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_URI);
        auto most = static_cast<sqlite3_int64>(kMostTogether);
        sqlite3_file_control(out.database_->getHandle(), "main", SQLITE_FCNTL_SIZE_LIMIT, &most);
        out.database_->exec("PRAGMA journal_mode=OFF");
        out.database_->exec(kTable);
    } catch (const SQLite::Exception& exception) {
        return out.explain(exception);
    }
    return out;
}

tl::unexpected<Error> ArchiveWriter::explain(const SQLite::Exception& exception) const {
    const int code = exception.getErrorCode() & 0xFF;
    return fail(code == SQLITE_FULL || code == SQLITE_NOMEM ? ErrorCode::no_space
                                                            : ErrorCode::platform_error,
                fmt::format("{} was not written: {}", path_, exception.what()),
                "use fewer --events");
}

Status ArchiveWriter::add(const std::string& name, std::string_view bytes) {
    try {
        const auto data = packed(bytes);
        SQLite::Statement insert(*database_, "INSERT INTO sqlar VALUES(?1, ?2, ?3, ?4, ?5)");
        insert.bind(1, name);
        insert.bind(2, kEntryMode);
        insert.bind(3, now().micros / 1'000'000);
        insert.bind(4, static_cast<std::int64_t>(bytes.size()));
        insert.bindNoCopy(5, data.data(), static_cast<int>(data.size()));
        insert.exec();
        return {};
    } catch (const SQLite::Exception& exception) {
        return explain(exception);
    }
}

Status ArchiveWriter::commit() {
    sqlite3_int64 size = 0;
    const auto* bytes =
        sqlite3_serialize(database_->getHandle(), "main", &size, SQLITE_SERIALIZE_NOCOPY);
    if (!bytes)
        return fail(ErrorCode::no_space, fmt::format("{} was not written: it has no pages", path_));
    SHM_TRY(file_.write({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)}));
    SHM_TRY(file_.commit());
    bytes_ = static_cast<std::uint64_t>(size);
    return {};
}

Result<ArchiveReader> ArchiveReader::open(const std::string& path) {
    {
        // Opening a FIFO would wait for its writer.
        const Handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (!file) return fail(system_error(errno, fmt::format("cannot open {}", path)));
        std::array<unsigned char, kHeaderBytes> begin{};
        struct stat facts {};
        if (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode))
            return refused(path, "it is not a regular file");
        if (::read(file.get(), begin.data(), begin.size()) != static_cast<ssize_t>(begin.size()) ||
            std::memcmp(begin.data(), kMagic.data(), kMagic.size()) != 0)
            return refused(path, "it does not start like one");
        if (static_cast<std::uint64_t>(facts.st_size) != size_in(begin))
            return refused(path, "its size is wrong: it was truncated or extended");
    }
    ArchiveReader out;
    out.path_ = path;
    try {
        // No file is written beside it, whatever its header says.
        out.database_ = std::make_unique<SQLite::Database>(
            uri_of(path), SQLite::OPEN_READONLY | SQLite::OPEN_URI);
        out.database_->exec("PRAGMA cell_size_check=ON");
        SHM_TRY(out.list());
    } catch (const SQLite::Exception& exception) {
        return refused(path, exception.what());
    }
    return out;
}

Status ArchiveReader::list() {
    if (!only_plain_tables(*database_)) return refused(path_, "it contains more than tables");
    if (!database_->tableExists("sqlar")) return refused(path_, "it does not contain an archive");
    SQLite::Statement rows(
        *database_,
        "SELECT name, sz, length(data) FROM sqlar WHERE typeof(name) = 'text' AND "
        "typeof(sz) = 'integer' AND typeof(data) IN ('blob', 'text')");
    std::uint64_t together = 0;
    while (rows.executeStep()) {
        const auto name = rows.getColumn(0).getString();
        const auto size = static_cast<std::uint64_t>(rows.getColumn(1).getInt64());
        const auto length = static_cast<std::uint64_t>(rows.getColumn(2).getInt64());
        if (!safe_name(name)) return refused(path_, "it names a file outside the archive");
        if (size > kMostBytes || size / kMostInflation > length)
            return refused(path_, fmt::format("{} would have {}", name, format_size(size)));
        together += size;
        entries_.push_back({name, size});
        if (together > kMostTogether || entries_.size() > kMostEntries)
            return refused(path_, "it is larger than any bundle");
    }
    return {};
}

bool ArchiveReader::has(std::string_view name) const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [&](const ArchiveEntry& entry) { return entry.name == name; });
}

Result<std::string> ArchiveReader::read(const std::string& name) {
    const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const ArchiveEntry& each) { return each.name == name; });
    if (entry == entries_.end()) return refused(path_, fmt::format("it has no {}", name));
    try {
        SQLite::Statement row(*database_, "SELECT data FROM sqlar WHERE name = ?1");
        row.bind(1, name);
        if (!row.executeStep()) return refused(path_, fmt::format("it has no {}", name));
        const auto column = row.getColumn(0);
        const auto* data = static_cast<const char*>(column.getBlob());
        const auto length = static_cast<std::size_t>(column.getBytes());
        if (length == entry->size) return std::string(data, length);
        std::string out(entry->size, '\0');
        auto size = static_cast<uLongf>(out.size());
        const auto status = ::uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                                         reinterpret_cast<const Bytef*>(data), length);
        if (status != Z_OK || size != out.size())
            return refused(path_, fmt::format("{} is damaged", name));
        return out;
    } catch (const SQLite::Exception& exception) {
        return refused(path_, exception.what());
    }
}

}  // namespace snakepit::shm
