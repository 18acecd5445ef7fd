// SPDX-License-Identifier: MIT
// dump: a region's bytes as people read them.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"
#include "contents.h"
#include "json.h"
#include "output.h"
#include "platform/fault_guard.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kPiece = 64 * 1024;          // bytes read at a time
constexpr std::uint64_t kMostJson = 256ULL << 20;  // bytes
constexpr unsigned kWidest = 64;

struct DumpOptions {
    RegionPart part;
    std::string file = "-";
    bool force = false, raw = false;
    unsigned width = 16;
};

// A copy of some bytes; another process may cut the segment short meanwhile.
Result<std::string> copied(std::span<std::byte> bytes) {
    const FaultGuard guard(bytes.data(), bytes.size());
    std::string out(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (guard.faulted())
        return fail(ErrorCode::corruption_detected, "the region's segment was cut short",
                    "snakepit-shm health shows the problem");
    return out;
}

std::string hex_line(std::uint64_t offset, std::string_view bytes, unsigned width) {
    auto out = fmt::format("{:08x} ", offset);
    for (unsigned i = 0; i < width; ++i) {
        if (i % 8 == 0) out += ' ';
        out += i < bytes.size() ? fmt::format("{:02x} ", static_cast<unsigned char>(bytes[i]))
                                : std::string("   ");
    }
    out += " |";
    for (const char c : bytes) out += c >= ' ' && c <= '~' ? c : '.';
    return out + "|\n";
}

// Lines of `width` bytes; of equal ones in a row the first is written, and a star.
class HexDump {
  public:
    HexDump(OutputFile& sink, std::uint64_t offset, unsigned width)
        : sink_(sink), offset_(offset), width_(width) {}

    // All pieces but the last are whole lines.
    Status add(std::string_view bytes) {
        std::string out;
        while (!bytes.empty()) {
            const auto line = bytes.substr(0, width_);
            bytes.remove_prefix(line.size());
            if (line == before_) {
                if (!starred_) out += "*\n";
                starred_ = true;
            } else {
                out += hex_line(offset_, line, width_);
                starred_ = false;
                before_ = line;
            }
            offset_ += line.size();
        }
        return sink_.write(out);
    }
    Status end() { return sink_.write(fmt::format("{:08x}\n", offset_)); }

  private:
    OutputFile& sink_;
    std::uint64_t offset_;
    unsigned width_;
    std::string before_;
    bool starred_ = false;
};

std::string head(const RegionInfo& info, const RegionPart& part, std::uint64_t size) {
    return fmt::format(
        "region   {}\nsize     {} bytes ({})\nstate    {}\nlevel    {}\nowner    {}, user {}\n"
        "held     {}\nread     {} bytes from {} on, {}\n\n",
        info.id.str(), info.size, format_size(info.size), to_string(info.state),
        to_string(info.security_level),
        process_label(info.owner_process, info.owner_pid, info.worker), info.owner_uid,
        pluralize(info.reference_count, "reference"), size, part.offset, to_rfc3339(now()));
}

Status print_document(const Contents& contents, const DumpOptions& options, OutputFile& sink) {
    if (contents.part().size() > kMostJson)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("{} are too much for one document", format_size(contents.part().size())),
            "choose a part with --offset and --length, or use --raw");
    SHM_ASSIGN(const auto bytes, copied(contents.part()));
    const QJsonObject document{
        {"region", region_json(contents.info())},
        {"offset", json(options.part.offset)},
        {"length", json(std::uint64_t{bytes.size()})},
        {"read_at", json(now())},
        {"base64", QString::fromLatin1(QByteArray::fromStdString(bytes).toBase64())}};
    const auto text = QJsonDocument(document).toJson(QJsonDocument::Indented);
    return sink.write({text.constData(), static_cast<std::size_t>(text.size())});
}

Status print_bytes(const Contents& contents, const DumpOptions& options, OutputFile& sink) {
    auto rest = contents.part();
    if (!options.raw) SHM_TRY(sink.write(head(contents.info(), options.part, rest.size())));
    HexDump dump(sink, options.part.offset, options.width);
    const auto piece = kPiece / options.width * options.width;
    while (!rest.empty()) {
        SHM_ASSIGN(const auto bytes, copied(rest.first(std::min(piece, rest.size()))));
        rest = rest.subspan(bytes.size());
        SHM_TRY(options.raw ? sink.write(bytes) : dump.add(bytes));
    }
    if (!options.raw) SHM_TRY(dump.end());
    return {};
}

Result<int> run_dump(const Context& context, const DumpOptions& options) {
    SHM_ASSIGN(const auto contents, Contents::open(context, options.part, AccessMode::read_only));
    const auto rest = contents.part();
    if (options.part.size > rest.size() || (rest.empty() && options.part.offset > 0))
        return fail(ErrorCode::invalid_argument,
                    fmt::format("the region has {} bytes, not {} from byte {} on",
                                contents.info().size, options.part.size, options.part.offset),
                    "choose --offset and --length within the region");
    SHM_ASSIGN(auto sink,
               OutputFile::begin(options.file, {.replace = options.force, .mode = 0600}));
    if (context.json) {
        SHM_TRY(print_document(contents, options, sink));
    } else {
        SHM_TRY(print_bytes(contents, options, sink));
    }
    SHM_TRY(sink.commit());
    return kDone;
}

}  // namespace

void add_dump(Command& app) {
    auto& command =
        app.add("dump", "Print a region's facts and its bytes in hexadecimal and as text");
    auto& options = command.options<DumpOptions>();
    command.argument("ID", options.part.id, "The region: its id, or the beginning or the end of it")
        .required()
        .completed_with(Completion::regions);
    command
        .option("-o,--output", "FILE", options.file,
                "Write to this file, a new one with mode 0600 (default: standard output)")
        .with_file(FilePlace::written_here, 0600);
    command.flag("--force", options.force, kForceHelp);
    command.option("--offset", "BYTES", options.part.offset, "Start at this byte (default: 0)");
    command
        .option("--length", "BYTES", options.part.size,
                "Stop after this many bytes (default: at the end)")
        .range(1, std::numeric_limits<std::int64_t>::max());
    command.option("--width", "N", options.width, "Show N bytes per line (default: 16)")
        .range(1, kWidest);
    command.flag("--raw", options.raw, "Write only the bytes, as they are");
    command.footer(
        "The region is read as any program reads it: permissions apply, an encrypted region is "
        "decrypted,\n"
        "and an audited one records the access. Programs may change the bytes meanwhile.");
    command.run(run_dump, options);
}

}  // namespace snakepit::shm::cli
