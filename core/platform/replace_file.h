// SPDX-License-Identifier: MIT
// The only way to write a file that a user named.
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

// Writes everything and syncs it to disk. `path` is for the error.
Status write_through(const Handle& file, const std::string& path, std::span<const std::byte> bytes);

struct OutputOptions {
    bool replace = false;  // an existing file may be replaced
    unsigned mode = 0666;  // of a new file, less the umask; one that is replaced keeps its own
    bool exact = false;    // the file has exactly `mode` afterwards, new or replaced
};

// A file that appears under its name complete or not at all; "-" is standard output.
//
// The target must be a regular file, a link to one, or a new name; never a device, pipe, socket,
// directory or descriptor (/dev/stdout). A link stays, and its target is written. The data goes to
// a temporary file beside the target (without a name if the file system supports that), which
// replaces the target in commit(). Until then the old file is unchanged, and other hard links keep
// the old contents. A replaced file keeps its mode and owner. In a world-writable directory with
// the sticky bit, links and files of other users are refused. Move-only; one thread.
class OutputFile {
  public:
    static Result<OutputFile> begin(const std::string& path, OutputOptions options = {});
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;
    ~OutputFile();

    // Standard output is written at once; EPIPE if its reader has exited.
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

// Writes a whole file in one call.
Status write_output(const std::string& path, std::string_view bytes, OutputOptions options = {});

// Replaces or creates the file with `text` and exactly this mode.
Status replace_file(const std::string& path, std::string_view text, unsigned mode);

// The next opened file would get the number of a closed standard stream, and receive what is
// printed. This opens such streams so that reading and writing them fails. Call at the start of a
// program, before it opens anything.
void occupy_standard_streams();

// Removes the regular file that `path` is or links to; a link stays. Does nothing for other files.
void remove_output(const std::string& path);

// An output stream on an OutputFile. The first error ends the output and is kept.
class OutputStream : public std::streambuf {
  public:
    // `go_on` is called before each write with the number of bytes; false ends the output.
    explicit OutputStream(OutputFile& file, std::function<bool(std::size_t)> go_on = {});
    // Flushes the rest.
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
