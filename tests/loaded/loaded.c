/* SPDX-License-Identifier: MIT */
/* A function that a scenario loads while it runs. */

int loaded_function(void *argument);

int loaded_function(void *argument)
{
	return argument ? *(unsigned char *)argument : 23;
}
