import { testAnyValue } from "./any-value.ts";

testAnyValue(2);
