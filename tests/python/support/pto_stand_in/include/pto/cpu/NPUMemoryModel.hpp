// SPDX-License-Identifier: Apache-2.0
#error "chiphost's header of this name comes before this one"
