// SPDX-License-Identifier: MIT
// dump: a region's bytes for people to read.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/counted.h"
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

struct Words {
    RegionPart part;
    std::string file = "-";
    bool force = false, raw = false;
    unsigned width = 16;
};

// A copy of some bytes; somebody else may cut the segment short meanwhile.
Result<std::string> copied(std::span<std::byte> bytes) {
    const FaultGuard guard(bytes.data(), bytes.size());
    std::string out(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (guard.faulted())
        return fail(ErrorCode::corruption_detected, "the region's segment was cut short",
                    "snakepit-shm health says what is wrong");
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
        to_string(info.security_level), process_label(info.owner_process, info.owner_pid),
        info.owner_uid, counted(info.reference_count, "reference"), size, part.offset,
        to_rfc3339(now()));
}

Status print_document(const Contents& contents, const Words& words, OutputFile& sink) {
    if (contents.part().size() > kMostJson)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("{} are too much for one document", format_size(contents.part().size())),
            "choose a part with --offset and --length, or take --raw");
    SHM_ASSIGN(const auto bytes, copied(contents.part()));
    const QJsonObject document{
        {"region", region_json(contents.info())},
        {"offset", json(words.part.offset)},
        {"length", json(std::uint64_t{bytes.size()})},
        {"read_at", json(now())},
        {"base64", QString::fromLatin1(QByteArray::fromStdString(bytes).toBase64())}};
    const auto text = QJsonDocument(document).toJson(QJsonDocument::Indented);
    return sink.write({text.constData(), static_cast<std::size_t>(text.size())});
}

Status print_bytes(const Contents& contents, const Words& words, OutputFile& sink) {
    auto rest = contents.part();
    if (!words.raw) SHM_TRY(sink.write(head(contents.info(), words.part, rest.size())));
    HexDump dump(sink, words.part.offset, words.width);
    const auto piece = kPiece / words.width * words.width;
    while (!rest.empty()) {
        SHM_ASSIGN(const auto bytes, copied(rest.first(std::min(piece, rest.size()))));
        rest = rest.subspan(bytes.size());
        SHM_TRY(words.raw ? sink.write(bytes) : dump.add(bytes));
    }
    if (!words.raw) SHM_TRY(dump.end());
    return {};
}

Result<int> run_dump(const Context& context, const Words& words) {
    SHM_ASSIGN(const auto contents, Contents::open(context, words.part, AccessMode::read_only));
    const auto rest = contents.part();
    if (words.part.size > rest.size() || (rest.empty() && words.part.offset > 0))
        return fail(ErrorCode::invalid_argument,
                    fmt::format("the region has {} bytes, {} from {} on are none of it",
                                contents.info().size, words.part.size, words.part.offset),
                    "choose --offset and --length within the region");
    SHM_ASSIGN(auto sink, OutputFile::begin(words.file, {.replace = words.force, .mode = 0600}));
    if (context.json) {
        SHM_TRY(print_document(contents, words, sink));
    } else {
        SHM_TRY(print_bytes(contents, words, sink));
    }
    SHM_TRY(sink.commit());
    return kDone;
}

}  // namespace

void add_dump(CLI::App& app, Context& context) {
    auto* command = add_command(
        app, context, "dump",
        "Print a region's facts and its bytes, in hexadecimal and as text. It is read like by any "
        "other program: who may not read it may not dump it, an encrypted one is decrypted, and an "
        "audited one records it. Programs may change the bytes while they are read.");
    auto words = std::make_shared<Words>();
    command->add_option("id", words->part.id, "The region")->required();
    command->add_option("-o,--output", words->file,
                        "The file to write (a new one with mode 0600); standard output by default");
    command->add_flag("--force", words->force, kForceHelp);
    command->add_option("--offset", words->part.offset, "First byte; 0 by default");
    command->add_option("--length", words->part.size, "So many bytes; to the end by default")
        ->check(CLI::PositiveNumber);
    command->add_option("--width", words->width, "Bytes a line; 16 by default")
        ->check(CLI::Range(1U, kWidest));
    command->add_flag("--raw", words->raw, "The bytes as they are, and nothing else");
    command->callback([&context, words] {
        context.action = [&context, words] { return run_dump(context, *words); };
    });
}

}  // namespace snakepit::shm::cli
