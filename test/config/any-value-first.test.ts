import { testAnyValue } from "./any-value.ts";

testAnyValue(0);
