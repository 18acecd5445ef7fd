// SPDX-License-Identifier: MIT
#pragma once

#include <QStringList>

// A client that means harm: "ATTACK SEED MILLISECONDS REGION…". It says "ready", waits for a line,
// attacks for that long, says "done N" (things it did) and ends when its input does. Attacks:
//   page         writes every kind of value into the lease page it owns
//   frames       sends every frame of the schema with every field a lie, and mutated
//   flood        asks without end on many connections
//   connections  opens 10,000 connections and keeps what it gets
//   descriptors  sends descriptors that nobody asked for
//   files        truncates, punches, grows, seals and changes what it was handed
//   fates        forks, becomes other programs, closes and dies in the middle
int run_hostile(const QStringList& words);
