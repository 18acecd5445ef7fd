// SPDX-License-Identifier: MIT
// Another process that takes part in a ring of frames: the test program itself, started with a
// role.
#pragma once

#include <QStringList>

#include <cstddef>
#include <cstdint>
#include <span>

// "ring-producer NAME": the producer, as soon as there is no other; "ready", then frames of
//   make_frame() until it is killed. "close" on standard input: closes the ring and ends.
// "ring-consumer NAME": reads and checks each frame; "ready". Answers each line of standard input
//   with "FRAMES LOST GONE CLOSED": how many it read and lost, and how often the producer's end was
//   told. "wrong: …" instead if a frame was not what it should be.
// "ring-holder NAME": a consumer that reads nothing; "ready".
int run_ring_actor(const QStringList& words);

// The frame of this number: its size and each byte of it follow from the number.
std::size_t make_frame(std::span<std::byte> slot, std::uint64_t number);
bool is_frame(std::span<const std::byte> bytes, std::uint64_t number, std::size_t slot_size);
