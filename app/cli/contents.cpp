// SPDX-License-Identifier: MIT
// read, write, seal: what is in a region.
#include "contents.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "output.h"

namespace snakepit::shm::cli {

Result<Contents> Contents::open(const Context& context, const RegionPart& part, AccessMode access) {
    Contents contents;
    SHM_ASSIGN(const auto id, RegionId::parse(part.id));
    SHM_ASSIGN(contents.client_, connect(context, true));
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
                      fmt::format("the memory of {} was cut by someone else", id),
                      "'snakepit-shm health' says what is wrong; deallocate the region and "
                      "allocate a new one");
}

Result<int> run_read(const Context& context, const RegionPart& words) {
    SHM_ASSIGN(const auto contents, Contents::open(context, words, AccessMode::read_only));
    const auto bytes = contents.part();
    const auto written =
        standard_output().write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!written)
        return fail(written.error().system_error == EFAULT ? transfer_error(EFAULT, "", words.id)
                                                           : written.error());
    return kDone;
}

Result<int> run_write(const Context& context, const RegionPart& words) {
    SHM_ASSIGN(const auto contents, Contents::open(context, words, AccessMode::read_write));
    std::uint64_t written = 0;
    for (auto left = contents.part();;) {
        std::byte more{};
        const bool full = left.empty();
        const auto got = ::read(STDIN_FILENO, full ? &more : left.data(), full ? 1 : left.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(transfer_error(errno, "cannot read standard input", words.id));
        if (got == 0) break;
        if (full) {
            SHM_TRY(contents.written(written));
            return fail(ErrorCode::size_exceeds_limit,
                        fmt::format("standard input has more than the {} bytes there is room for; "
                                    "the first {} were written",
                                    contents.part().size(), written),
                        "write less, or allocate a larger region");
        }
        left = left.subspan(static_cast<std::size_t>(got));
        written += static_cast<std::uint64_t>(got);
    }
    SHM_TRY(contents.written(written));
    if (context.json) print(fmt::format("{{\"id\":\"{}\",\"written\":{}}}\n", words.id, written));
    return kDone;
}

Result<int> run_seal(const Context& context, const std::string& word) {
    SHM_ASSIGN(const auto id, RegionId::parse(word));
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto sealed, client->seal(id));
    if (context.json)
        print(fmt::format("{{\"id\":\"{}\",\"sealed\":{}}}\n", id.str(), sealed));
    else
        print(fmt::format("{} {}\n", id.str(),
                          sealed ? "sealed"
                                 : "will be sealed when its last reference is given back; nobody "
                                   "can map it for writing any more"));
    return kDone;
}

void add_part(CLI::App* command, const std::shared_ptr<RegionPart>& words) {
    command->add_option("id", words->id, "The region")->required();
    command->add_option("--offset", words->offset, "First byte; 0 by default");
    command->add_option("--size", words->size, "At most this many bytes; to the end by default");
}

}  // namespace

void add_contents(CLI::App& app, Context& context) {
    auto* read = add_command(app, context, "read", "Write a region's bytes to standard output");
    auto read_words = std::make_shared<RegionPart>();
    add_part(read, read_words);
    read->callback([&context, read_words] {
        context.action = [&context, read_words] { return run_read(context, *read_words); };
    });
    auto* write = add_command(app, context, "write", "Fill a region from standard input");
    auto write_words = std::make_shared<RegionPart>();
    add_part(write, write_words);
    write->callback([&context, write_words] {
        context.action = [&context, write_words] { return run_write(context, *write_words); };
    });
    auto* seal = add_command(app, context, "seal", "Make a region immutable");
    auto id = std::make_shared<std::string>();
    seal->add_option("id", *id, "The region")->required();
    seal->callback(
        [&context, id] { context.action = [&context, id] { return run_seal(context, *id); }; });
}

}  // namespace snakepit::shm::cli
