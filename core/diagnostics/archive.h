// SPDX-License-Identifier: MIT
// An SQLite archive (https://sqlite.org/sqlar.html): one file that `sqlite3 FILE -Atv` lists and
// `sqlite3 FILE -Ax` extracts.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// Fills a file beside its place (mode 0600) and puts it there at the end; without commit() nothing
// is left behind. One thread.
class ArchiveWriter {
  public:
    // `replace`: a file that is there may go.
    static Result<ArchiveWriter> begin(const std::string& path, bool replace);
    ArchiveWriter(ArchiveWriter&& other) noexcept = default;
    ArchiveWriter& operator=(ArchiveWriter&&) = delete;
    ~ArchiveWriter();

    // no_space where the disk is full.
    Status add(const std::string& name, std::string_view bytes);
    Status commit();

  private:
    ArchiveWriter() = default;
    tl::unexpected<Error> explain(const SQLite::Exception& exception) const;

    std::string path_;
    bool replace_ = false;
    std::unique_ptr<std::string> fresh_;  // the file beside; none: it is in its place, or given up
    std::unique_ptr<SQLite::Database> database_;
};

struct ArchiveEntry {
    std::string name;
    std::uint64_t size = 0;  // bytes, unpacked
};

// Reads what anybody may have made: nothing is believed. One thread.
class ArchiveReader {
  public:
    // corruption_detected when it is no archive, names a file outside its place or is larger than
    // any of ours.
    static Result<ArchiveReader> open(const std::string& path);

    const std::vector<ArchiveEntry>& entries() const { return entries_; }
    bool has(std::string_view name) const;
    // The unpacked bytes; at most those that entries() announced.
    Result<std::string> read(const std::string& name);

  private:
    ArchiveReader() = default;
    Status list();

    std::string path_;
    std::unique_ptr<SQLite::Database> database_;
    std::vector<ArchiveEntry> entries_;
};

}  // namespace snakepit::shm
