// SPDX-License-Identifier: MIT
// Other programs that use an encrypted region: the test program itself, started with a role.
#pragma once

#include <QByteArray>
#include <QStringList>

namespace snakepit::shm::test {

// "writer ID": fills the whole region with the number of the round, again and again, flushes, and
//   says the number of each round that was committed.
// "worker ID BYTE": writes its own half of the region (BYTE 0 or 1) the same way, and checks after
//   each flush that it still reads what it wrote, until a line comes. "done ROUNDS" or what is
//   wrong.
// "holder ID SEED [DIRECTORY]": maps the region, writes marker(SEED) to it and flushes; "ready".
//   Then obeys "abort": dies with a core dump in DIRECTORY.
// "idler": connects, says "ready" and waits.
int run_encrypted_program(const QStringList& words);

// 64 bytes that are found nowhere unless somebody wrote them; the holder never has them outside its
// mapping.
inline constexpr int kMarkerBytes = 64;
inline unsigned char marker_byte(unsigned seed, unsigned i) {
    auto x = (seed + 1) * 2654435761U + (i + 1) * 40503U;
    x ^= x >> 13;
    x *= 2246822519U;
    x ^= x >> 16;
    return static_cast<unsigned char>(x);
}
QByteArray marker(unsigned seed);

}  // namespace snakepit::shm::test
