// SPDX-License-Identifier: MIT
// One process and its segments.
#include <algorithm>
#include <cstring>

#include "conformance.h"

namespace snakepit::shm::conformance {

namespace {

bool all_are(const std::byte* data, std::uint64_t size, std::byte value) {
    return std::all_of(data, data + size, [&](std::byte byte) { return byte == value; });
}

bool lists(Fixture& fixture, std::string_view prefix, const std::string& name) {
    const auto listed = need(fixture.backend().list_segments(prefix), "cannot list segments");
    return std::ranges::any_of(listed, [&](const auto& info) { return info.name == name; });
}

void new_segment_is_zero(Fixture& fixture) {
    const auto segment = fixture.create(fixture.name("zero"), kSize - 100);
    require(segment.size == kSize, "the size is not a whole number of pages");
    const auto mapping = map(segment);
    require(all_are(mapping.data(), segment.size, std::byte{0}), "the memory is not zero");
}

void segment_of_one_byte_has_a_page(Fixture& fixture) {
    const auto segment = fixture.create(fixture.name("byte"), 1);
    require(segment.size >= 4096 && segment.size % 4096 == 0, "the size is not whole pages");
    const auto mapping = map(segment);
    mapping.data()[segment.size - 1] = std::byte{7};
}

void name_is_used_once(Fixture& fixture) {
    const auto name = fixture.name("once");
    const auto first = fixture.create(name);
    map(first).data()[0] = std::byte{1};
    refused(fixture.backend().create_segment(name, kSize), ErrorCode::allocation_failed,
            "a second segment of the same name");
    const auto again = need(fixture.backend().open_segment(name, AccessMode::read_only), "open");
    require(map(again, Mapping::Access::read_only).data()[0] == std::byte{1},
            "the refused creation changed the segment");
}

void handles_share_memory(Fixture& fixture) {
    const auto name = fixture.name("shared");
    const auto created = fixture.create(name);
    const auto opened = need(fixture.backend().open_segment(name, AccessMode::read_write), "open");
    require(opened.identity == created.identity, "the identity differs");
    require(opened.size == created.size, "the size differs");
    const auto one = map(created), other = map(opened);
    one.data()[kSize - 1] = std::byte{42};
    require(other.data()[kSize - 1] == std::byte{42}, "the other mapping has other memory");
}

void duplicate_handle_reaches_the_same_memory(Fixture& fixture) {
    const auto segment = fixture.create(fixture.name("duplicate"));
    const auto copy = segment.handle.duplicate();
    require(copy.valid(), "the handle cannot be duplicated");
    require(need(identity_of(copy), "identity") == segment.identity, "the identity differs");
    const auto one = map(segment);
    const auto other =
        need(Mapping::map(copy, segment.size, Mapping::Access::read_write), "cannot map it");
    one.data()[5] = std::byte{5};
    require(other.data()[5] == std::byte{5}, "the duplicate has other memory");
}

void mapping_outlives_its_handle(Fixture& fixture) {
    auto segment = fixture.create(fixture.name("outlives"));
    const auto mapping = map(segment);
    segment.handle.reset();
    mapping.data()[0] = std::byte{9};
    require(mapping.data()[0] == std::byte{9}, "the mapping is gone");
}

void read_only_handle_refuses_writing(Fixture& fixture) {
    if (!fixture.can().read_only_handles) throw Skipped{"it has no read-only handles"};
    const auto name = fixture.name("reader");
    map(fixture.create(name)).data()[0] = std::byte{3};
    const auto reader = need(fixture.backend().open_segment(name, AccessMode::read_only), "open");
    require(map(reader, Mapping::Access::read_only).data()[0] == std::byte{3}, "cannot read it");
    refused(Mapping::map(reader.handle, reader.size, Mapping::Access::read_write),
            "mapping a read-only handle for writing");
}

void missing_segment_is_an_error(Fixture& fixture) {
    const auto name = fixture.name("missing");
    auto& backend = fixture.backend();
    refused(backend.open_segment(name, AccessMode::read_only), ErrorCode::mapping_failed,
            "opening a missing segment");
    refused(backend.inspect_segment(name), "inspecting a missing segment");
    refused(backend.set_read_only(name, true), "changing a missing segment");
    require(backend.remove_segment(name, {}), "removing a missing segment");
    require(backend.remove_unused_segment(name, {}), "removing a missing segment");
}

void read_only_segment_refuses_new_writers(Fixture& fixture) {
    const auto name = fixture.name("sealed");
    auto& backend = fixture.backend();
    const auto segment = fixture.create(name);
    require(backend.set_read_only(name, true), "cannot make it read-only");
    const auto writer = backend.open_segment(name, AccessMode::read_write);
    if (!writer || !overrides_permissions()) refused(writer, "a new writer");
    require(need(backend.inspect_segment(name), "inspect").mode == 0400, "the mode is unchanged");
    (void)map(need(backend.open_segment(name, AccessMode::read_only), "open for reading"),
              Mapping::Access::read_only);
    require(backend.set_read_only(name, false), "cannot make it writable again");
    (void)map(need(backend.open_segment(name, AccessMode::read_write), "open for writing"));
}

void other_segment_is_not_removed(Fixture& fixture) {
    const auto one = fixture.name("one"), other = fixture.name("other");
    auto& backend = fixture.backend();
    (void)fixture.create(one);
    const auto second = fixture.create(other);
    require(need(backend.inspect_segment(one), "inspect").identity != second.identity,
            "two segments have the same identity");
    refused(backend.remove_segment(one, second.identity), ErrorCode::security_violation,
            "removing another segment than the expected one");
    (void)need(backend.open_segment(one, AccessMode::read_write), "it is gone");
}

void removed_segment_is_gone(Fixture& fixture) {
    const auto name = fixture.name("removed");
    auto& backend = fixture.backend();
    {
        const auto segment = fixture.create(name);
        require(backend.remove_segment(name, segment.identity), "cannot remove it");
    }
    refused(backend.open_segment(name, AccessMode::read_only), "opening a removed segment");
    refused(backend.inspect_segment(name), "inspecting a removed segment");
    require(!lists(fixture, fixture.prefix(), name), "a removed segment is listed");
    (void)fixture.create(name);
}

void sealed_segment_can_be_removed(Fixture& fixture) {
    const auto name = fixture.name("sealed_removed");
    auto& backend = fixture.backend();
    const auto identity = fixture.create(name).identity;
    require(backend.set_read_only(name, true), "cannot make it read-only");
    require(backend.remove_segment(name, identity), "cannot remove it");
    refused(backend.open_segment(name, AccessMode::read_only), "opening a removed segment");
}

void segments_are_listed_by_prefix(Fixture& fixture) {
    const auto one = fixture.name("list-a-1"), two = fixture.name("list-a-2"),
               three = fixture.name("list-b");
    const Segment kept[] = {fixture.create(one), fixture.create(two), fixture.create(three)};
    const auto prefix = fixture.prefix() + "list-a";
    require(lists(fixture, prefix, one) && lists(fixture, prefix, two), "a segment is not listed");
    require(!lists(fixture, prefix, three), "a segment with another prefix is listed");
}

void information_is_right(Fixture& fixture) {
    const auto name = fixture.name("info");
    auto& backend = fixture.backend();
    const auto segment = fixture.create(name);
    const auto info = need(backend.inspect_segment(name), "inspect");
    require(info.name == name, "the name is " + info.name);
    require(info.size == kSize, "the size is " + std::to_string(info.size));
    require(info.identity == segment.identity, "the identity differs");
    require(info.mode == 0600, "others than its user may use it");
    require(info.allocated >= kSize || !fixture.can().reserves_pages,
            "reserved memory is not counted");
    require(info.uid == need(backend.process(own_pid()), "own process").uid, "the user differs");
    require(info.modified.micros > 0, "no time");
}

void reserved_later_keeps_contents(Fixture& fixture) {
    const auto name = fixture.name("later");
    auto& backend = fixture.backend();
    const auto segment = fixture.create(name, kSize, Pages::on_demand);
    require(backend.reserve(segment.handle, 0, kSize / 2), "cannot reserve the first half");
    const auto mapping = map(segment);
    std::memset(mapping.data(), 0x11, kSize / 2);
    require(backend.reserve(segment.handle, 0, kSize), "cannot reserve the rest");
    require(backend.check_reserved(segment.handle, kSize), "the memory is not reserved");
    require(all_are(mapping.data(), kSize / 2, std::byte{0x11}), "reserving changed the contents");
    require(all_are(mapping.data() + kSize / 2, kSize / 2, std::byte{0}), "the rest is not zero");
    std::memset(mapping.data() + kSize / 2, 0x22, kSize / 2);
    require(need(backend.inspect_segment(name), "inspect").allocated >= kSize,
            "memory that was written to is not counted");
}

void discarded_bytes_are_zero(Fixture& fixture) {
    const auto segment = fixture.create(fixture.name("discard"));
    const auto mapping = map(segment);
    std::memset(mapping.data(), 0x33, kSize);
    require(fixture.backend().discard(segment.handle, kSize / 2, kSize / 4), "cannot discard");
    require(all_are(mapping.data(), kSize / 2, std::byte{0x33}), "it discarded what is before");
    require(all_are(mapping.data() + kSize / 2, kSize / 4, std::byte{0}), "it is not zero");
    require(all_are(mapping.data() + kSize / 4 * 3, kSize / 4, std::byte{0x33}),
            "it discarded what is behind");
}

void too_much_memory_leaves_nothing(Fixture& fixture) {
    const auto name = fixture.name("huge");
    auto& backend = fixture.backend();
    refused(backend.create_segment(name, std::uint64_t{1} << 46), ErrorCode::no_space,
            "a segment larger than the memory");
    refused(backend.open_segment(name, AccessMode::read_only), "opening what was not created");
    require(!lists(fixture, fixture.prefix(), name), "something is left of it");
}

void nameless_memory_is_reached_by_handle(Fixture& fixture) {
    const auto name = fixture.nameless("plain");
    auto& backend = fixture.backend();
    auto segment = fixture.create(name);
    map(segment).data()[1] = std::byte{8};
    segment.handle.reset();
    const auto again = need(backend.open_segment(name, AccessMode::read_write), "open");
    require(map(again).data()[1] == std::byte{8}, "it has other memory");
    require(lists(fixture, name, name), "it is not listed");
    require(!lists(fixture, fixture.prefix(), name), "it has a name");
    require(backend.remove_segment(name, again.identity), "cannot remove it");
    refused(backend.open_segment(name, AccessMode::read_only), "opening removed memory");
}

void nameless_memory_is_sealed_permanently(Fixture& fixture) {
    const auto name = fixture.nameless("sealed");
    auto& backend = fixture.backend();
    if (backend.name() == "in_memory") throw Skipped{"simulated memory is never sealed"};
    map(fixture.create(name, kSize, Pages::reserved, SegmentUse::to_be_sealed)).data()[0] =
        std::byte{6};
    require(backend.set_read_only(name, true), "cannot seal it");
    const auto reader = need(backend.open_segment(name, AccessMode::read_only), "open");
    require(map(reader, Mapping::Access::read_only).data()[0] == std::byte{6}, "cannot read it");
    refused(backend.set_read_only(name, false), ErrorCode::not_supported, "unsealing");
    const auto writer = backend.open_segment(name, AccessMode::read_write);
    if (writer)
        refused(Mapping::map(writer->handle, kSize, Mapping::Access::read_write),
                "mapping sealed memory for writing");
}

void forgotten_memory_is_gone(Fixture& fixture) {
    const auto name = fixture.nameless("forgotten");
    (void)fixture.create(name);
    require(fixture.backend().forget_segment(name), "cannot forget it");
    refused(fixture.backend().open_segment(name, AccessMode::read_only),
            "opening forgotten memory");
    require(fixture.backend().forget_segment(name), "forgetting it twice");
}

void huge_pages_are_used_or_explained(Fixture& fixture) {
    const auto segment = fixture.create(fixture.name("pages"), 2 * kHugePage);
    const auto mapping = map(segment);
    const auto address = reinterpret_cast<std::uintptr_t>(mapping.data());
    auto* aligned = mapping.data() + (kHugePage - address % kHugePage) % kHugePage;
    const auto used = fixture.backend().use_huge_pages(aligned, kHugePage);
    if (!used) refused(used, ErrorCode::not_supported, "huge pages");
    aligned[0] = std::byte{1};
}

void space_is_reported(Fixture& fixture) {
    const auto space = need(fixture.backend().space(), "space");
    require(space.total > 0 && space.free <= space.total, "more is free than there is");
    require(space.free_files > 0, "no file is free");
}

constexpr Test kTests[] = {
    {"new_segment_is_zero", new_segment_is_zero},
    {"segment_of_one_byte_has_a_page", segment_of_one_byte_has_a_page},
    {"name_is_used_once", name_is_used_once},
    {"handles_share_memory", handles_share_memory},
    {"duplicate_handle_reaches_the_same_memory", duplicate_handle_reaches_the_same_memory},
    {"mapping_outlives_its_handle", mapping_outlives_its_handle},
    {"read_only_handle_refuses_writing", read_only_handle_refuses_writing},
    {"missing_segment_is_an_error", missing_segment_is_an_error},
    {"read_only_segment_refuses_new_writers", read_only_segment_refuses_new_writers},
    {"other_segment_is_not_removed", other_segment_is_not_removed},
    {"removed_segment_is_gone", removed_segment_is_gone},
    {"sealed_segment_can_be_removed", sealed_segment_can_be_removed},
    {"segments_are_listed_by_prefix", segments_are_listed_by_prefix},
    {"information_is_right", information_is_right},
    {"reserved_later_keeps_contents", reserved_later_keeps_contents},
    {"discarded_bytes_are_zero", discarded_bytes_are_zero},
    {"too_much_memory_leaves_nothing", too_much_memory_leaves_nothing},
    {"nameless_memory_is_reached_by_handle", nameless_memory_is_reached_by_handle},
    {"nameless_memory_is_sealed_permanently", nameless_memory_is_sealed_permanently},
    {"forgotten_memory_is_gone", forgotten_memory_is_gone},
    {"huge_pages_are_used_or_explained", huge_pages_are_used_or_explained},
    {"space_is_reported", space_is_reported},
};

}  // namespace

std::span<const Test> segment_tests() {
    return kTests;
}

}  // namespace snakepit::shm::conformance
