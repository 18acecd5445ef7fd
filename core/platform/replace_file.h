// SPDX-License-Identifier: MIT
// The one way to write a file that somebody named.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <streambuf>
#include <string>
#include <string_view>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// Writes all of it and waits until it is on the disk. `path` is for the error.
Status write_through(const Handle& file, const std::string& path, std::span<const std::byte> bytes);

struct OutputOptions {
    bool replace = false;  // a file that is there may be replaced
    unsigned mode = 0666;  // of a new file, less the umask; one that is replaced keeps its own
    bool exact = false;    // the file has exactly `mode` afterwards, new or replaced
};

// A file that appears under its name whole, or not at all; "-" is standard output.
//
// Only a regular file, a link to one, or a name that is free is written: never a device, a pipe, a
// socket, a directory or a descriptor (/dev/stdout). A link stays, and what it leads to is written.
// The bytes go to a file beside the target, without a name where the file system allows that, which
// takes the target's place in commit(); so the old file is there, whole, whatever happens before,
// and another hard link of it keeps the old contents. A replaced file's mode and owner stay.
// In a directory with the sticky bit that everybody may write to, links and files of strangers are
// refused. Move-only; one thread.
class OutputFile {
  public:
    static Result<OutputFile> begin(const std::string& path, OutputOptions options = {});
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;
    ~OutputFile();

    // On standard output at once; EPIPE when its reader has gone.
    Status write(std::string_view bytes);
    Status commit();
    bool is_standard_output() const { return !directory_; }

  private:
    OutputFile() = default;
    Status open_beside(unsigned mode);
    Status check_target();
    Status keep_attributes();
    Status publish();
    tl::unexpected<Error> failed(int number) const;

    std::string path_;  // as it was given, for errors
    OutputOptions options_;
    Handle directory_;    // of the target; not valid: standard output
    std::string name_;    // of the target in it
    Handle file_;         // beside the target
    std::string beside_;  // its name; empty: it has none
    bool there_ = false;  // the target exists
};

// The whole of it in one call.
Status write_output(const std::string& path, std::string_view bytes, OutputOptions options = {});

// Puts `text` in the place of the file, or makes it, with exactly this mode.
Status replace_file(const std::string& path, std::string_view text, unsigned mode);

// A standard stream that was closed would be the number of the next file that is opened, and get
// what is printed. Such a stream is opened so that reading and writing it fail. At the start of a
// program, before it opens anything.
void occupy_standard_streams();

// Removes the regular file that `path` is or leads to; a link stays. Nothing where it is none.
void remove_output(const std::string& path);

// For who writes to a stream. The first error ends the writing and is kept.
class OutputStream : public std::streambuf {
  public:
    // `go_on` is asked before each write with the number of bytes; false ends the writing.
    explicit OutputStream(OutputFile& file, std::function<bool(std::size_t)> go_on = {});
    // Writes what is left.
    Status finish();

  protected:
    int_type overflow(int_type c) override;
    int sync() override { return flush() ? 0 : -1; }

  private:
    bool flush();

    OutputFile& file_;
    std::function<bool(std::size_t)> go_on_;
    std::string buffer_;
    Status status_;
};

}  // namespace snakepit::shm
