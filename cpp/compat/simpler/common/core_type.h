// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chiphost/abi/callable.h"

enum class CoreType : int { AIC = CH_AIC, AIV = CH_AIV };
