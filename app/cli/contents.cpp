// SPDX-License-Identifier: MIT
// read, write, seal: the contents of a region.
#include "contents.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "output.h"

namespace snakepit::shm::cli {

Result<Contents> Contents::open(const Context& context, const RegionPart& part, AccessMode access) {
    Contents contents;
    SHM_ASSIGN(auto target, connect_to(context, {part.id}, true));
    contents.client_ = std::move(target.client);
    const auto& id = target.ids.front();
    SHM_ASSIGN(contents.info_, contents.client_->info(id));
    const auto size = contents.info_.size;
    if (part.offset > size)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("the region has {} bytes, the offset is {}", size, part.offset),
                    "start within the region");
    contents.offset_ = part.offset;
    const auto rest = size - part.offset;
    const auto wanted = part.size == 0 ? rest : std::min(rest, part.size);
    if (contents.info_.security_level != SecurityLevel::standard && wanted > 0) {
        SHM_TRY(contents.copy(wanted, access));
    } else {
        SHM_ASSIGN(const auto mapped, contents.client_->map(id, access));
        contents.part_ = {mapped.data + part.offset, wanted};
    }
    return contents;
}

Status Contents::written(std::uint64_t size) const {
    if (!copy_.valid() || size == 0) return {};
    return client_->write(info_.id, offset_, part_.first(size));
}

Status Contents::copy(std::uint64_t size, AccessMode access) {
    SHM_ASSIGN(copy_, LockedMemory::make(size));
    part_ = copy_.bytes();
    if (access == AccessMode::read_write) return {};
    return client_->read(info_.id, offset_, part_);
}

namespace {

// EFAULT of a transfer from or to the region's own memory: where we would get SIGBUS.
Error transfer_error(int number, const char* what, const std::string& id) {
    if (number != EFAULT) return system_error(number, what);
    return make_error(ErrorCode::corruption_detected,
                      fmt::format("another process cut the memory of {}", id),
                      "'snakepit-shm health' shows the problem; deallocate the region and "
                      "allocate a new one");
}

Result<int> run_read(const Context& context, const RegionPart& options) {
    SHM_ASSIGN(const auto contents, Contents::open(context, options, AccessMode::read_only));
    const auto bytes = contents.part();
    const auto written =
        standard_output().write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!written)
        return fail(written.error().system_error == EFAULT ? transfer_error(EFAULT, "", options.id)
                                                           : written.error());
    return kDone;
}

Result<int> run_write(const Context& context, const RegionPart& options) {
    SHM_ASSIGN(const auto contents, Contents::open(context, options, AccessMode::read_write));
    std::uint64_t written = 0;
    for (auto left = contents.part();;) {
        std::byte more{};
        const bool full = left.empty();
        const auto got = ::read(STDIN_FILENO, full ? &more : left.data(), full ? 1 : left.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(transfer_error(errno, "cannot read standard input", options.id));
        if (got == 0) break;
        if (full) {
            SHM_TRY(contents.written(written));
            return fail(ErrorCode::size_exceeds_limit,
                        fmt::format("standard input has more than the {} bytes that fit; "
                                    "the first {} were written",
                                    contents.part().size(), written),
                        "write less, or allocate a larger region");
        }
        left = left.subspan(static_cast<std::size_t>(got));
        written += static_cast<std::uint64_t>(got);
    }
    SHM_TRY(contents.written(written));
    if (context.json)
        print(fmt::format("{{\"id\":\"{}\",\"written\":{}}}\n", contents.info().id.str(), written));
    return kDone;
}

Result<int> run_seal(const Context& context, const std::string& word) {
    SHM_ASSIGN(const auto target, connect_to(context, {word}));
    const auto& id = target.ids.front();
    SHM_ASSIGN(const auto sealed, target.client->seal(id));
    if (context.json)
        print(fmt::format("{{\"id\":\"{}\",\"sealed\":{}}}\n", id.str(), sealed));
    else
        print(fmt::format("{} {}\n", id.str(),
                          sealed ? "sealed"
                                 : "will be sealed when its last reference is released; it can no "
                                   "longer be mapped for writing"));
    return kDone;
}

RegionPart& add_part(Command& command) {
    auto& part = command.options<RegionPart>();
    command.argument("ID", part.id, "The region: its id, or the beginning or the end of it")
        .required()
        .completed_with(Completion::regions);
    command.option("--offset", "BYTES", part.offset, "Start at this byte (default: 0)");
    command.option("--size", "BYTES", part.size,
                   "Stop after this many bytes (default: at the end)");
    return part;
}

}  // namespace

void add_contents(Command& app) {
    auto& read = app.add("read", "Write a region's bytes to standard output");
    read.run(run_read, add_part(read));
    auto& write = app.add("write", "Fill a region from standard input");
    write.run(run_write, add_part(write));
    write.reads_input();
    auto& seal = app.add("seal", "Make a region immutable");
    seal.run(run_seal, seal.region());
}

}  // namespace snakepit::shm::cli
