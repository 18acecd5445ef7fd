// SPDX-License-Identifier: MIT
#include "schema_frames.h"

#include <QFile>

#include <algorithm>
#include <cstring>

#include <flatbuffers/flatbuffers.h>
#include <flatbuffers/reflection_generated.h>

using snakepit::shm::RegionId;

namespace {

constexpr std::uint64_t kTelling[] = {0,          1,      2,          3,          7,
                                      0xFF,       0x7FFF, 0xFFFF,     1ULL << 20, 0x7FFF'FFFF,
                                      1ULL << 31, ~0U,    1ULL << 40, INT64_MAX,  ~0ULL};
constexpr std::string_view kTexts[] = {"",      "refs=0",     "{\"a\":1}", "owner:x size>1MiB",
                                       "(((((", "../../../x", "\xFF\xFE",  "status"};

}  // namespace

// Writes tables as the schema describes them.
class Writer {
  public:
    Writer(SchemaFrames& frames, const reflection::Schema& schema)
        : frames_(frames), schema_(schema) {}

    flatbuffers::Offset<void> table(const reflection::Object& type, int depth,
                                    std::size_t call = kAnyCall) {
        std::vector<std::pair<const reflection::Field*, flatbuffers::uoffset_t>> children;
        std::uint8_t kind = 0;
        for (const auto* field : *type.fields()) {
            const auto base = field->type()->base_type();
            if (base == reflection::UType) {
                kind = static_cast<std::uint8_t>(call == kAnyCall ? number() % 40 : call);
            } else if (base == reflection::String || base == reflection::Vector) {
                if (field->required() || number() % 4 != 0)
                    children.emplace_back(field, child(*field));
            } else if (base == reflection::Union) {
                if (const auto* object = member(*field, kind))
                    children.emplace_back(field, table(*object, depth + 1).o);
            } else if (base == reflection::Obj && !object(*field).is_struct() && depth < 4) {
                children.emplace_back(field, table(object(*field), depth + 1).o);
            }
        }
        const auto start = builder_.StartTable();
        for (const auto& [field, offset] : children)
            builder_.AddOffset(field->offset(), flatbuffers::Offset<void>(offset));
        for (const auto* field : *type.fields()) plain(*field, kind);
        return builder_.EndTable(start);
    }
    std::vector<std::byte> finish(flatbuffers::Offset<void> root) {
        builder_.Finish(root);
        const auto bytes =
            std::as_bytes(std::span(builder_.GetBufferPointer(), std::size_t{builder_.GetSize()}));
        return {bytes.begin(), bytes.end()};
    }

    static constexpr std::size_t kAnyCall = ~std::size_t{0};

  private:
    const reflection::Object& object(const reflection::Field& field) const {
        return *schema_.objects()->Get(static_cast<unsigned>(field.type()->index()));
    }
    const reflection::Object* member(const reflection::Field& field, std::uint8_t kind) const {
        const auto* values =
            schema_.enums()->Get(static_cast<unsigned>(field.type()->index()))->values();
        for (const auto* value : *values)
            if (value->value() == kind && value->union_type()->base_type() == reflection::Obj)
                return schema_.objects()->Get(static_cast<unsigned>(value->union_type()->index()));
        return nullptr;
    }
    std::uint64_t number() { return frames_.random_(); }
    std::uint64_t value() {
        return number() % 3 == 0 ? number() : kTelling[number() % std::size(kTelling)];
    }
    std::string text() {
        if (number() % 8 == 0) return std::string(number() % 3000, 'x');
        return std::string(kTexts[number() % std::size(kTexts)]);
    }
    RegionId key() {
        if (!frames_.regions_.empty() && number() % 4 != 0)
            return frames_.regions_[number() % frames_.regions_.size()];
        return {value(), value()};
    }
    flatbuffers::uoffset_t child(const reflection::Field& field) {
        if (field.type()->base_type() == reflection::String) return builder_.CreateString(text()).o;
        const auto element = field.type()->element();
        const auto count = number() % 8 == 0 ? number() % 2000 : number() % 40;
        if (element == reflection::String) {
            std::vector<std::string> texts(count % 40);
            for (auto& one : texts) one = text();
            return builder_.CreateVectorOfStrings(texts).o;
        }
        if (element == reflection::Obj) {
            if (!object(field).is_struct()) {
                std::vector<flatbuffers::Offset<void>> all(count % 10);
                for (auto& one : all) one = table(object(field), 3);
                return builder_.CreateVector(all).o;
            }
            std::vector<std::uint64_t> keys;
            for (std::uint64_t i = 0; i < count; ++i) {
                const auto id = key();
                keys.insert(keys.end(), {id.micros, id.random});
            }
            builder_.StartVector(count * 16, 1);
            builder_.PushBytes(reinterpret_cast<const std::uint8_t*>(keys.data()), count * 16);
            return builder_.EndVector(count);
        }
        // Bytes, also where they are meant to be something longer: the verifier has to see.
        std::vector<std::uint8_t> bytes(count);
        for (auto& one : bytes) one = static_cast<std::uint8_t>(number());
        return builder_.CreateVector(bytes).o;
    }
    void plain(const reflection::Field& field, std::uint8_t kind) {
        const auto at = field.offset();
        switch (field.type()->base_type()) {
            case reflection::UType:
                return builder_.AddElement(at, kind);
            case reflection::Bool:
                return builder_.AddElement(at, static_cast<std::uint8_t>(number() % 2));
            case reflection::Byte:
            case reflection::UByte:
                return builder_.AddElement(
                    at, static_cast<std::uint8_t>(number() % 2 == 0 ? number() % 4 : value()));
            case reflection::Short:
            case reflection::UShort:
                return builder_.AddElement(at, static_cast<std::uint16_t>(value()));
            case reflection::Int:
            case reflection::UInt:
                return builder_.AddElement(at, static_cast<std::uint32_t>(value()));
            case reflection::Long:
            case reflection::ULong:
                return builder_.AddElement(at, value());
            case reflection::Obj:
                if (object(field).is_struct()) place(field);
                return;
            default:
                return;
        }
    }
    void place(const reflection::Field& field) {
        const auto id = key();
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(object(field).bytesize()));
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(number());
        std::memcpy(bytes.data(), &id, std::min(bytes.size(), sizeof(id)));
        builder_.Align(static_cast<std::size_t>(object(field).minalign()));
        builder_.PushBytes(bytes.data(), bytes.size());
        builder_.AddStructOffset(field.offset(), builder_.GetSize());
    }

    SchemaFrames& frames_;
    const reflection::Schema& schema_;
    flatbuffers::FlatBufferBuilder builder_;
};

SchemaFrames::SchemaFrames(unsigned seed, std::vector<RegionId> regions)
    : random_(seed), regions_(std::move(regions)) {
    QFile file(SNAKEPIT_SCHEMA);
    if (!file.open(QFile::ReadOnly)) qFatal("no compiled schema");
    const auto bytes = file.readAll();
    const auto view = std::as_bytes(std::span(bytes.data(), std::size_t(bytes.size())));
    schema_.assign(view.begin(), view.end());
    for (const auto* one : *reflection::GetSchema(schema_.data())->enums())
        if (one->name()->str().ends_with(".Call"))
            for (const auto* value : *one->values())
                if (value->value() != 0) calls_.push_back(value->name()->str());
    if (calls_.empty()) qFatal("the schema has no requests");
}

std::vector<std::byte> SchemaFrames::frame(std::size_t call) {
    const auto& schema = *reflection::GetSchema(schema_.data());
    Writer writer(*this, schema);
    return writer.finish(writer.table(*schema.root_table(), 0, call + 1));
}

std::vector<std::byte> SchemaFrames::mutated(std::size_t call) {
    auto bytes = frame(call);
    for (auto changes = random_() % 6; changes > 0; --changes)
        bytes[random_() % bytes.size()] = static_cast<std::byte>(random_());
    if (random_() % 4 == 0) bytes.resize(random_() % bytes.size() + 1);
    return bytes;
}
