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

#include "base/result.h"
#include "platform/replace_file.h"

namespace snakepit::shm {

// Filled in memory and written at the end (OutputFile, mode 0600; "-" is standard output); without
// commit() nothing is left behind. One thread.
class ArchiveWriter {
  public:
    // `replace`: an existing file may be replaced.
    static Result<ArchiveWriter> begin(const std::string& path, bool replace);

    // no_space where it becomes too large.
    Status add(const std::string& name, std::string_view bytes);
    // no_space where the disk is full.
    Status commit();
    // What was written.
    std::uint64_t bytes() const { return bytes_; }

  private:
    ArchiveWriter(std::string path, OutputFile file)
        : path_(std::move(path)), file_(std::move(file)) {}
    tl::unexpected<Error> explain(const SQLite::Exception& exception) const;

    std::string path_;
    OutputFile file_;
    std::unique_ptr<SQLite::Database> database_;
    std::uint64_t bytes_ = 0;
};

struct ArchiveEntry {
    std::string name;
    std::uint64_t size = 0;  // bytes, unpacked
};

// Reads a file from an untrusted source: everything is checked. One thread.
class ArchiveReader {
  public:
    // corruption_detected when the file is not an archive, names a file outside it, or is larger
    // than any bundle.
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
